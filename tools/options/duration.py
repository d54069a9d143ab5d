"""Go's durations ("1h15m", "250ms"), as flags and configuration files write them, in seconds."""

from __future__ import annotations

from pyconsul.agent.common.go.durations import parse_go_duration_s

#: A bare number of at least this many units can only be meant as nanoseconds (a millisecond).
_NANOSECONDS_FROM = 1_000_000


def parse_config_duration_s(value: str | int | float) -> float:
    """Parse a Go duration (https://pkg.go.dev/time#ParseDuration) to seconds; a bare number is seconds, a large one ns.

    Raises ValueError, saying what is allowed.
    """
    if isinstance(value, bool):
        raise ValueError(f"invalid duration {value!r}: use a number with a unit, such as 500ms, 10s or 1h30m")
    if isinstance(value, int | float):
        return value * 1e-9 if abs(value) >= _NANOSECONDS_FROM else float(value)
    return parse_go_duration_s(value.strip())


def parse_wait_s(value: str) -> tuple[float, float]:
    """Quiescence timers "min" or "min:max" in seconds; without a maximum it is four times the minimum.

    Raises ValueError for what is no duration, is negative, or whose maximum is below its minimum.
    """
    low, colon, high = value.partition(":")
    if value.strip() == "":
        return 0.0, 0.0
    minimum = parse_config_duration_s(low)
    maximum = parse_config_duration_s(high) if colon else minimum * 4
    if minimum < 0 or maximum < minimum:
        raise ValueError(f"invalid wait {value!r}: use min or min:max with 0 <= min <= max, such as 5s:20s")
    return minimum, maximum
