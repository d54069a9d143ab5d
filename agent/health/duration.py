"""Durations of checks: those of `model.duration`, refused in the words that Consul passes on to whoever registers a check."""

from __future__ import annotations

import re

from pyconsul.agent.model.duration import NANOSECONDS, format_nanoseconds, parse_nanoseconds

SECOND = NANOSECONDS
UNITS = ("ns", "us", "µs", "μs", "ms", "s", "m", "h")
_PART = re.compile(r"([0-9]*(?:\.[0-9]*)?)([^0-9.]*)")


def parse_duration(text: str) -> int:
    """`1m30s` -> nanoseconds; raises ValueError with Go's text (https://pkg.go.dev/time#ParseDuration)."""
    try:
        return parse_nanoseconds(text)
    except ValueError:
        raise ValueError(_fault(text)) from None


def format_duration(nanoseconds: int) -> str:
    """Nanoseconds -> `1m30s`."""
    return format_nanoseconds(nanoseconds)


def _fault(text: str) -> str:
    rest = text[1:] if text[:1] in ("-", "+") else text
    position = 0
    while position < len(rest):
        found = _PART.match(rest, position)
        if found is None or found[1] in ("", "."):
            break
        if not found[2]:
            # Another point where the unit should be makes the whole invalid.
            missing = found.end() == len(rest)
            return f"time: missing unit in duration {quoted(text)}" if missing else _invalid(text)
        if found[2] not in UNITS:
            return f"time: unknown unit {quoted(found[2])} in duration {quoted(text)}"
        position = found.end()
    return _invalid(text)


def _invalid(text: str) -> str:
    return f"time: invalid duration {quoted(text)}"


def quoted(text: str) -> str:
    """A text in double quotes with Go's escapes, for error texts."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + '"'
