"""`pyconsul info`: the agent's inner numbers, sorted by subsystem."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag


def info(context: Context) -> None:
    """Print the `Stats` of /v1/agent/self, in the table format without pyconsul's own section."""
    try:
        stats = context.client.get("/v1/agent/self").get("Stats") or {}
    except CliError as error:
        raise during("Error querying agent", error) from None
    if document(context, stats):
        return
    for section in sorted(stats.keys() - _OWN):
        context.out(f"{section}:")
        for name, value in sorted(stats[section].items()):
            context.out(f"\t{name} = {value}")


_OWN = {"sync", "dns"}  # sections that Consul's output does not have; `pyconsul doctor` reports them
COMMANDS = {"info": Command(info, format_flag())}
