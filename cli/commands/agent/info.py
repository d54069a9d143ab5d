"""`pyconsul info`: the agent's inner numbers, sorted by subsystem."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag


def info(context: Context) -> None:
    """Print the `Stats` of /v1/agent/self; those of anti-entropy only while it is behind."""
    try:
        stats = context.client.get("/v1/agent/self").get("Stats") or {}
    except CliError as error:
        raise during("Error querying agent", error) from None
    if document(context, stats):
        return
    if stats.get(_SYNC, {}).get("state") == "ok":
        del stats[_SYNC]
    for section in sorted(stats):
        context.out(f"{section}:")
        for name, value in sorted(stats[section].items()):
            context.out(f"\t{name} = {value}")


_SYNC = "sync"  # pyconsul's own section: Consul's output ends without it
COMMANDS = {"info": Command(info, format_flag())}
