"""Go's durations (`10s`, `1m30s`, `500ms`), as flags, files, queries and answers write them.

Source: https://pkg.go.dev/time#ParseDuration and #Duration.String.  The exact unit is the nanosecond; seconds are for timers.
"""

from __future__ import annotations

import re

NANOSECONDS = 1_000_000_000
#: The largest duration Go can hold (a signed 64-bit number of nanoseconds), about 292 years.
LONGEST = (1 << 63) - 1
ALLOWED = 'a number with a unit, such as "500ms", "10s" or "1h30m" (units: ns, us, ms, s, m, h)'

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "h": 3600 * NANOSECONDS,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """The seconds of a Go duration; raises ValueError, whose text says what is allowed."""
    return parse_nanoseconds(text) / NANOSECONDS


def parse_nanoseconds(text: str) -> int:
    """The nanoseconds of a Go duration; raises ValueError, whose text says what is allowed."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = _sum_of_parts(rest)
    if total is None:
        raise ValueError(f"invalid duration {text!r}; allowed: {ALLOWED}")
    if total > LONGEST:
        raise ValueError(f"invalid duration {text!r}: longer than 292 years")
    return -total if text.startswith("-") else total


def _sum_of_parts(text: str) -> int | None:
    """None when a part is no number with a unit, or when there is none."""
    total, position = 0, 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or not (match[1] or match[2]):
            return None
        unit = _UNITS[match[3]]
        total += int(match[1] or "0") * unit
        if match[2]:
            total += int(match[2]) * unit // 10 ** len(match[2])
        position = match.end()
    return total if text else None


def format_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: `10s`, `1m30s`, `1h0m0s`, `500ms`, `0s`."""
    return format_nanoseconds(round(seconds * NANOSECONDS))


def format_nanoseconds(nanoseconds: int) -> str:
    """Nanoseconds as Go writes a duration."""
    sign, size = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if size < NANOSECONDS:
        return sign + _below_a_second(size)
    minutes, rest = divmod(size, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, NANOSECONDS)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _below_a_second(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "0s"
    for unit in ("ms", "µs"):
        if nanoseconds >= _UNITS[unit]:
            return f"{_decimal(nanoseconds, _UNITS[unit])}{unit}"
    return f"{nanoseconds}ns"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
