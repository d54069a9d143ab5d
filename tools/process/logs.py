"""Handlers of the tools' log: lines on stderr, as text or JSON; files and syslog where they are configured.

Levels have Consul's names. Messages must hold no token and no value of the KV store.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.files.log_stream import LogStream
from pyconsul.agent.common.go.durations import DAY_S
from pyconsul.tools.options.hcl_file import ConfigError

if TYPE_CHECKING:
    from pyconsul.tools.options.log_file import LogTarget

_NAMES = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERR", 50: "ERR"}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_stamp(self, record)} [{_NAMES.get(record.levelno, 'INFO')}] {record.name}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        import json

        entry = {
            "@level": _NAMES.get(record.levelno, "INFO").lower(),
            "@message": record.getMessage(),
            "@module": record.name,
            "@timestamp": _stamp(self, record),
        }
        if record.exc_info:
            entry["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _stamp(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Local time with milliseconds and the offset from UTC."""
    seconds, offset = (formatter.formatTime(record, form) for form in ("%Y-%m-%dT%H:%M:%S", "%z"))
    return f"{seconds}.{int(record.msecs):03}{offset}"


def configure(level: int, form: str, syslog_facility: str, syslog_name: str, file: LogTarget | None) -> None:
    """Give the root logger its handlers and its level; see `log_setup.setup_logging`. Raises ConfigError."""
    root = logging.getLogger()
    handlers: list[logging.Handler] = [LogStream(sys.stderr)]
    if file is not None:
        handlers.append(_file(root, file))
    for handler in handlers:
        handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    if syslog_facility:
        handlers.append(_syslog(syslog_facility, syslog_name))
    earlier, root.handlers[:] = list(root.handlers), handlers
    if earlier:
        _close_unused(earlier, handlers)
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "asyncio"):  # log each request and each header
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _close_unused(earlier: list[logging.Handler], handlers: list[logging.Handler]) -> None:
    from logging.handlers import SysLogHandler

    for handler in earlier:
        if isinstance(handler, logging.FileHandler | SysLogHandler) and handler not in handlers:
            handler.close()


def _file(root: logging.Logger, target: LogTarget) -> logging.Handler:
    """Return the handler that writes to these files already, or a new one. Raises ConfigError."""
    known = (handler for handler in root.handlers if handler.name == str(target))
    return next(known, None) or open_log_file(target)


def open_log_file(target: LogTarget) -> logging.Handler:
    """Create a log file, named as consul-template names it: `<name>-<nanoseconds since 1970>.log`. Raises ConfigError."""
    from pyconsul.agent.common.files.log_file import LogFile

    try:
        handler = LogFile(
            *target.parts,
            timestamped=True,
            max_bytes=target.max_bytes,
            max_age_s=target.max_age or DAY_S,
            keep=target.keep,
            mode=0o640,
        )
    except OSError as error:
        raise ConfigError(f"cannot log to {target.path}: {error.strerror}") from error
    handler.name = str(target)
    return handler


def _syslog(facility: str, name: str) -> logging.Handler:
    from logging.handlers import SysLogHandler

    codes = SysLogHandler.facility_names
    if facility.lower() not in codes:
        raise ConfigError(f"invalid syslog facility {facility!r}: use one of {', '.join(sorted(codes))}")
    address: str | tuple[str, int] = "/dev/log" if Path("/dev/log").exists() else ("127.0.0.1", 514)
    handler = SysLogHandler(address, facility=codes[facility.lower()])
    handler.ident = f"{name}: "
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler
