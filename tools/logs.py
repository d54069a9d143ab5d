"""Log output of the tools: lines on stderr, as text or JSON, and to syslog if that is wished.

Levels are Consul's words. Nothing here or in the tools logs a token or a value out of the KV store.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from pathlib import Path

from pyconsul.tools.hclfile import ConfigError

TRACE = 5
_LEVELS = {
    "TRACE": TRACE,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERR": logging.ERROR,
    "ERROR": logging.ERROR,
}
_NAMES = {TRACE: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERR", 50: "ERR"}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}" + self.formatTime(record, "%z")
        return f"{stamp} [{_NAMES.get(record.levelno, 'INFO')}] {record.name}: {record.getMessage()}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        import json

        return json.dumps(
            {
                "@level": _NAMES.get(record.levelno, "INFO").lower(),
                "@message": record.getMessage(),
                "@module": record.name,
                "@timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}",
            }
        )


def setup_logging(level: str, form: str = "text", syslog_facility: str = "", syslog_name: str = "") -> None:
    """Log what is at least of `level` (trace, debug, info, warn, err) to stderr; to syslog with a facility.

    Raises ConfigError for words that are not allowed.
    """
    if level.upper() not in _LEVELS:
        raise ConfigError(f"invalid log level {level!r}: use trace, debug, info, warn or err")
    if form not in ("text", "json", "standard"):
        raise ConfigError(f"invalid log format {form!r}: use text or json")
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    if syslog_facility:
        handlers.append(_syslog(syslog_facility, syslog_name))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(_LEVELS[level.upper()])
    for chatty in ("httpx", "httpcore", "asyncio"):  # They log each request and each header.
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _syslog(facility: str, name: str) -> logging.Handler:
    codes = logging.handlers.SysLogHandler.facility_names
    if facility.lower() not in codes:
        raise ConfigError(f"invalid syslog facility {facility!r}: use one of {', '.join(sorted(codes))}")
    address: str | tuple[str, int] = "/dev/log" if Path("/dev/log").exists() else ("127.0.0.1", 514)
    handler = logging.handlers.SysLogHandler(address, facility=codes[facility.lower()])
    handler.ident = f"{name}: "
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler
