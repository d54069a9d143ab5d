"""`pyconsul validate`: check configuration files without starting an agent.

Besides `pyconsul agent` this is the only command that imports code of the agent, and only that of its configuration.
"""

from __future__ import annotations

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def validate(context: Context) -> None:
    """Print that all is well, or raise CliError with every mistake, one a line."""
    if not context.args.rest:
        raise UsageError("Must specify at least one config file or directory")
    from pyconsul.agent.config.load import ConfigError, load_files

    try:
        config = load_files(context.args.rest, context.args[_CONFIG_FORMAT])
    except ConfigError as error:
        lines = [f"Config validation failed: {error}", *error.details]
        if any(line.startswith("data_dir cannot be empty") for line in error.errors):
            lines.append(
                "Hint: files of services alone are checked together with the agent's own: name them all, or their folder."
            )
        raise CliError("\n".join(lines)) from None
    if not context.args[_QUIET]:
        refusals = [f"an agent does not start with this: {error}" for error in config.refusals]
        warnings = [*map(str, config.warnings), *refusals]
        for warning in warnings:
            context.note(warning)
        confirm(context, "Configuration is valid!", {"Valid": True, "Warnings": warnings})


_CONFIG_FORMAT = text(
    "config-format", "Format of all files: hcl or json; the default is told by their names.", metavar="format"
)
_QUIET = switch("quiet", "Print errors only.")
COMMANDS = {
    "validate": Command(
        validate,
        _CONFIG_FORMAT,
        _QUIET,
        format_flag(),
        usage="FILE_OR_FOLDER...",
        http=False,
    ),
}
