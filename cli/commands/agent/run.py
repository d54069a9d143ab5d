"""`pyconsul agent`: reads settings, then hands over to the runtime.  The only command that imports the agent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyconsul.agent.common.options import Option
    from pyconsul.agent.config.config import Config

HELP = """Start an agent: HTTP on port 8500, DNS on port 8600.

Settings come from defaults, then -dev, then files in order, then flags.

For a first try: pyconsul agent -dev
"""
_HELP_FLAGS = ("-h", "-help", "--help", "--h")


def main(argv: Sequence[str]) -> int:
    """Run an agent until it is stopped; the exit status is 0, or 1 after an error in the settings or at the start."""
    if any(argument in _HELP_FLAGS for argument in argv):
        sys.stdout.write(help_text())
        return 0
    from pyconsul.agent.config.load import ConfigError

    try:
        config = _config(argv)
    except ConfigError as error:
        for line in error.report():
            sys.stderr.write(f"==> {line}\n")
        return 1
    return _run(config)


def agent_options() -> list[Option[Any]]:
    """Return the flags, for help, completion and man pages."""
    from pyconsul.agent.config.flags import options

    return options()


def help_text() -> str:
    """Return the help with all flags."""
    from pyconsul.agent.common.option_help import option_rows, render_help

    return render_help(
        "pyconsul agent [-flag=value ...]", HELP, [("Flags", option_rows(agent_options(), aliases=True))]
    )


def _config(argv: Sequence[str]) -> Config:
    """Raises ConfigError."""
    from pyconsul.agent.config.host import with_node_id
    from pyconsul.agent.config.load import ConfigError, load
    from pyconsul.agent.config.validate import at_start

    config = load(argv)
    if errors := at_start(config):
        raise ConfigError(errors)
    return with_node_id(config)


def _run(config: Config) -> int:
    import contextlib
    import logging
    import os

    from pyconsul.agent.common.process.pid_file import pid_file
    from pyconsul.agent.runtime import process

    os.umask(os.umask(0o077) | 0o022)  # logs, the PID file and sockets are never writable by others
    with contextlib.ExitStack() as stack:
        try:
            _start_logs(config)
            stack.enter_context(pid_file(config.pid_file))
        except OSError as error:
            sys.stderr.write(f"==> cannot write {error.filename}: {error.strerror}\n")
            return 1
        for warning in config.warnings:
            logging.getLogger("agent").warning("%s", warning)
        return process.run(config)


def _start_logs(config: Config) -> None:
    """Raises OSError when the log file or syslog cannot be written."""
    import logging

    from pyconsul.agent.config.changes import secrets
    from pyconsul.agent.logs import agent_log

    agent_log.redactor.hide(secrets(config))
    rotation = (config.log_rotate_bytes, config.log_rotate_duration, config.log_rotate_max_files)
    others: list[logging.Handler] = [agent_log.log_file(config.log_file, *rotation)] if config.log_file else []
    if config.enable_syslog:
        from pyconsul.agent.logs.syslog import SyslogHandler

        others.append(SyslogHandler(config.syslog_facility))
    agent_log.setup(config.log_level, config.log_json, *others)
