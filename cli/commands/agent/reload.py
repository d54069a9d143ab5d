"""`pyconsul reload`: make the agent read its configuration again."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def reload(context: Context) -> None:
    """Request a reload. Raises CliError with the agent's error when the new configuration is invalid."""
    try:
        context.client.put("/v1/agent/reload")
    except CliError as error:
        raise during("Error reloading", error) from None
    confirm(context, "Configuration reload triggered", {"Reloaded": True})


COMMANDS = {"reload": Command(reload, format_flag())}
