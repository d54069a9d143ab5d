"""Set up the log of a tool; `logging` itself is loaded when it is needed."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from pyconsul.agent.common.lazy_log import DEBUG, ERROR, INFO, WARNING, configure_logging, defer_logging
from pyconsul.tools.options.hcl_file import ConfigError

if TYPE_CHECKING:
    from pyconsul.tools.options.log_file import LogTarget

TRACE = 5
_LEVELS = {
    "TRACE": TRACE,
    "DEBUG": DEBUG,
    "INFO": INFO,
    "WARN": WARNING,
    "WARNING": WARNING,
    "ERR": ERROR,
    "ERROR": ERROR,
}


def setup_logging(
    level: str,
    form: str = "text",
    syslog_facility: str = "",
    syslog_name: str = "",
    file: LogTarget | None = None,
) -> None:
    """Log messages of `level` (trace, debug, info, warn, err) and above to stderr; with a facility to syslog; to files.

    It may be called again; a log file that is configured again stays open. Raises ConfigError for invalid words, and for
    a log file that cannot be created.
    """
    if level.upper() not in _LEVELS:
        raise ConfigError(f"invalid log level {level!r}: use trace, debug, info, warn or err")
    if form not in ("text", "json", "standard"):
        raise ConfigError(f"invalid log format {form!r}: use text or json")
    number = _LEVELS[level.upper()]
    defer_logging(number, partial(_configure, number, form, syslog_facility, syslog_name, file))
    if file is not None or syslog_facility or "logging" in sys.modules:
        configure_logging()


def _configure(level: int, form: str, syslog_facility: str, syslog_name: str, file: LogTarget | None) -> None:
    from pyconsul.tools.process.logs import configure

    configure(level, form, syslog_facility, syslog_name, file)
