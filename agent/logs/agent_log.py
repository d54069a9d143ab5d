"""The agent's log: Consul's line format or JSON on stdout, in a file as well, and streamed to subscribers.

A record's fields are given as `log.info("text", extra={"fields": {"node": "n1"}})`.  Tokens are taken out of every line.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pyconsul.agent.common.files.log_file import LogFile
from pyconsul.agent.common.files.log_stream import LogStream
from pyconsul.agent.common.go.durations import DAY_S

TRACE = 5
#: Consul's names of levels.
LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_NAMES = {TRACE: "TRACE", logging.WARNING: "WARN", logging.CRITICAL: "ERROR"}
# These log every request; the agent logs requests itself.
_CHATTY = ("grpc", "asyncio", "hpack", "httpcore", "httpx")
_HIDDEN = "<hidden>"
_LINE = "pyconsul_line"  # attribute of a record: its line
MAX_RECENT = 1000  # lines that are kept
RECENT_CHARACTERS = 4000  # of a line that are kept
_TOKENS = re.compile(
    r"(?i)((?:[?&;]|\b)token=|x-consul-token['\"]?\s*[:=,]\s*b?['\"]?|bearer\s+|\"?secretid\"?\s*[:=]\s*\"?)[^\s&\"',;}#]+"
)


class Redactor:
    """Removes tokens from texts: known ones, and any text in the usual place of a token."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Texts of fewer than 8 characters are left: they would blot out innocent words."""
        self._secrets.update(secret for secret in secrets if len(secret) >= 8)

    def clean(self, text: str) -> str:
        """Return the text without tokens."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _TOKENS.sub(rf"\1{_HIDDEN}", text)


redactor = Redactor()


class LineFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z [INFO]  agent.http: text: key=value`, as hashicorp/go-hclog writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, which is made once for all handlers."""
        made: str | None = record.__dict__.get(_LINE)
        if made is None:
            made = record.__dict__[_LINE] = self._line(record)
        return made

    def _line(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={_field(value)}" for key, value in _fields(record).items())
        text = f"{record.name}: {record.getMessage()}" + (f": {fields}" if fields else "")
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redactor.clean(f"{_time(record)} {f'[{level_name(record.levelno)}]':<7} {text}")


class JSONFormatter(logging.Formatter):
    """One object a line, with go-hclog's keys: @level, @message, @module, @timestamp, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "@level": level_name(record.levelno).lower(),
            "@message": redactor.clean(record.getMessage()),
            "@module": record.name,
            "@timestamp": _time(record, "microseconds"),
        }
        entry.update(_fields(record))
        if record.exc_info:
            entry["stacktrace"] = redactor.clean(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


class Subscriber(logging.Handler):
    """Hands each formatted line to `sink`, which must not block; made by `subscribe`."""

    def __init__(self, sink: Callable[[str], None], level: int, as_json: bool) -> None:
        super().__init__(level)
        self._sink = sink
        self.setFormatter(_formatter(as_json))

    def emit(self, record: logging.LogRecord) -> None:
        self._sink(self.format(record))


class RecentLines(logging.Handler):
    """Keeps the last lines of the log in text form; the same level holds for them as for stdout."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[tuple[int, str]] = deque(maxlen=MAX_RECENT)
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.levelno, self.format(record)[:RECENT_CHARACTERS]))

    def lines(self, level: str, most: int) -> list[str]:
        """Return the last lines of at least a level, the oldest first.  Raises ValueError."""
        lowest = parse_level(level)
        return [line for number, line in self._lines.copy() if number >= lowest][-most:]


recent_lines = RecentLines()


def setup(level: str, as_json: bool = False, *others: logging.Handler) -> None:
    """Log to stdout, and to `others` (see `logfile.LogFile`, `syslog.SyslogHandler`) as well; may be called again."""
    logging.addLevelName(TRACE, "TRACE")
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    handlers: list[logging.Handler] = [LogStream(sys.stdout)]
    for handler in (*handlers, *others):
        handler.setFormatter(_formatter(as_json))
    for handler in (*handlers, *others, recent_lines):
        handler.setLevel(parse_level(level))
        root.addHandler(handler)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    _set_root_level()


def set_level(level: str) -> None:
    """Another level for stdout and the file, as after a reload."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, Subscriber):
            handler.setLevel(parse_level(level))
    _set_root_level()


def subscribe(sink: Callable[[str], None], level: str, as_json: bool = False) -> Subscriber:
    """Stream the log to `sink` from now on, at a separate level."""
    subscriber = Subscriber(sink, parse_level(level), as_json)
    logging.getLogger().addHandler(subscriber)
    _set_root_level()
    return subscriber


def unsubscribe(subscriber: Subscriber) -> None:
    """End such a stream."""
    logging.getLogger().removeHandler(subscriber)
    _set_root_level()


def parse_level(level: str) -> int:
    """Python's number of one of Consul's levels; raises ValueError."""
    number = LEVELS.get({"err": "error", "warning": "warn"}.get(level.lower(), level.lower()))
    if number is None:
        raise ValueError(f"unknown log level {level!r}; allowed: {', '.join(LEVELS)}")
    return number


def level_name(number: int) -> str:
    """Consul's name of a level, in capitals."""
    return _NAMES.get(number, logging.getLevelName(number))


def _set_root_level() -> None:
    """Set the logger to the most detailed level of stdout and all subscribers."""
    root = logging.getLogger()
    root.setLevel(min((handler.level for handler in root.handlers), default=logging.INFO))


def _formatter(as_json: bool) -> logging.Formatter:
    return JSONFormatter() if as_json else LineFormatter()


def _fields(record: logging.LogRecord) -> dict[str, bool | int | float | str]:
    """Return a record's fields without tokens; cleaned here, because quoting would hide a token from the patterns."""
    fields = getattr(record, "fields", None) or {}
    return {key: _HIDDEN if "token" in key.lower() else _clean(value) for key, value in fields.items()}


def _clean(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else redactor.clean(str(value))


def _field(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' \t\n"=') else text


def _time(record: logging.LogRecord, precision: str = "milliseconds") -> str:
    """Local time, with `Z` for UTC and an offset without a colon, as Consul's log has it."""
    moment = datetime.fromtimestamp(record.created).astimezone()
    text = moment.replace(tzinfo=None).isoformat(timespec=precision)
    return text + ("Z" if not moment.utcoffset() else moment.strftime("%z"))


def log_file(path: str, max_bytes: int = 0, max_age_s: float = DAY_S, keep: int = 0) -> LogFile:
    """Open the file of `-log-file`: `consul.log` in a folder; a name without an extension gets `.log`. Raises OSError."""
    place = Path(path)
    if path.endswith(os.sep) or place.is_dir():
        place = place / "consul"
    return LogFile(
        place.parent, place.stem, place.suffix or ".log", max_bytes=max_bytes, max_age_s=max_age_s, keep=keep
    )
