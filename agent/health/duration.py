"""Durations as Go writes them (`1h2m3.5s`), kept as whole nanoseconds (https://pkg.go.dev/time#ParseDuration)."""

from __future__ import annotations

import re

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
UNITS = {
    "ns": NANOSECOND, "us": MICROSECOND, "µs": MICROSECOND, "μs": MICROSECOND,
    "ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR,
}  # fmt: skip
LIMIT = 2**63 - 1

_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")


def parse_duration(text: str) -> int:
    """`1m30s` -> nanoseconds; raises ValueError with Go's text."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    sign = -1 if text.startswith("-") else 1
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    total = 0
    while rest:
        match = _PART.match(rest)
        assert match is not None
        total += _part(text, match)
        rest = rest[match.end() :]
    # Go's smallest duration is one nanosecond further from zero than its largest.
    if total > LIMIT + (sign < 0):
        raise _invalid(text)
    return sign * total


def _part(text: str, match: re.Match[str]) -> int:
    whole, fraction, unit = match.group(1), match.group(2), match.group(3)
    if not whole and not fraction:
        raise _invalid(text)
    if not unit:
        if match.end() < len(match.string):  # "1.2.3": a second point where a unit should be
            raise _invalid(text)
        raise ValueError(f"time: missing unit in duration {quoted(text)}")
    scale = UNITS.get(unit)
    if scale is None:
        raise ValueError(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
    nanoseconds = int(whole or "0") * scale
    if fraction:
        nanoseconds += int(fraction) * scale // 10 ** len(fraction)
    return nanoseconds


def format_duration(nanoseconds: int) -> str:
    """Nanoseconds -> `1m30s`, the way Go prints a duration: `0s`, `1.5ms`, `2h0m0s`."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 0:
        return "-" + format_duration(-nanoseconds)
    if nanoseconds < SECOND:
        for unit, scale in (("ms", MILLISECOND), ("µs", MICROSECOND)):
            if nanoseconds >= scale:
                return _decimal(nanoseconds, scale) + unit
        return f"{nanoseconds}ns"
    minutes, below = divmod(nanoseconds, MINUTE)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(below, SECOND) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    if not fraction:
        return str(whole)
    digits = str(fraction).zfill(len(str(scale)) - 1).rstrip("0")
    return f"{whole}.{digits}"


def quoted(text: str) -> str:
    """A text in double quotes with Go's escapes, for error texts."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + '"'


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {quoted(text)}")
