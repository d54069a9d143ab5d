"""Go's durations ("1h15m", "250ms"), as flags and configuration files write them, in seconds."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")
#: A bare number of at least this many units can only be meant as nanoseconds (a millisecond).
_NANOSECONDS_FROM = 1_000_000


def parse_duration(value: str | int | float) -> float:
    """Seconds of a Go duration (https://pkg.go.dev/time#ParseDuration); a bare number is seconds, a large one ns.

    Raises ValueError, saying what is allowed.
    """
    if isinstance(value, bool):
        raise ValueError(f"invalid duration {value!r}: use a number with a unit, such as 500ms, 10s or 1h30m")
    if isinstance(value, int | float):
        return value * 1e-9 if abs(value) >= _NANOSECONDS_FROM else float(value)
    text = value.strip()
    if text == "0":
        return 0.0
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"invalid duration {value!r}: use a number with a unit, such as 500ms, 10s or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def parse_wait(value: str) -> tuple[float, float]:
    """Quiescence timers "min" or "min:max" in seconds; without a maximum it is four times the minimum.

    Raises ValueError for what is no duration, is negative, or whose maximum is below its minimum.
    """
    low, colon, high = value.partition(":")
    if value.strip() == "":
        return 0.0, 0.0
    minimum = parse_duration(low)
    maximum = parse_duration(high) if colon else minimum * 4
    if minimum < 0 or maximum < minimum:
        raise ValueError(f"invalid wait {value!r}: use min or min:max with 0 <= min <= max, such as 5s:20s")
    return minimum, maximum
