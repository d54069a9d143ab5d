"""`pyconsul exec`: not there, and why."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError
from pyconsul.cli.help.command import Command


def exec_(context: Context) -> None:
    """Always raises."""
    raise CliError(
        "pyconsul exec is not in pyconsul: with it, whoever may write a key could run commands on every node.\n"
        "Use ssh or a configuration manager; `pyconsul event` with `pyconsul watch -type=event` runs a command of "
        "your choice on the nodes that opted in."
    )


COMMANDS = {"exec": Command(exec_, usage="[COMMAND]")}
