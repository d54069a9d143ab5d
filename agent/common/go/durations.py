"""Go's durations (`10s`, `1m30s`, `500ms`), as flags, files, queries and answers write them.

Source: https://pkg.go.dev/time#ParseDuration and #Duration.String. The exact unit is the nanosecond; seconds are for timers.
"""

from __future__ import annotations

from pyconsul.agent.common.go.quoting import go_quote

SECOND_NS = 1_000_000_000
DAY_S = 86400.0
#: The longest duration that Go can hold (a signed 64-bit number of nanoseconds), about 292 years.
LONGEST_NS = (1 << 63) - 1
ALLOWED = 'a number with a unit, such as "500ms", "10s" or "1h30m" (units: ns, us, ms, s, m, h)'

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3600 * SECOND_NS,
}
_DIGITS = frozenset("0123456789")
#: Digits of a number that cannot overflow yet; more of them, without leading zeros, always do.
_MAX_DIGITS = 19


def parse_go_duration_ns(text: str, *, go_error: bool = False) -> int:
    """Parse a duration into nanoseconds. Raises ValueError, whose text says what is allowed; with `go_error`, Go's text."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = _sum_of_parts(rest)
    if total is None or total > LONGEST_NS:
        if go_error:
            raise ValueError(_go_error(text))
        allowed = f"; allowed: {ALLOWED}" if total is None else ": longer than 292 years"
        raise ValueError(f"invalid duration {text!r}{allowed}")
    return -total if text.startswith("-") else total


def parse_go_duration_s(text: str) -> float:
    """Parse a duration into seconds. Raises ValueError, whose text says what is allowed."""
    return parse_go_duration_ns(text) / SECOND_NS


def _sum_of_parts(text: str) -> int | None:
    """Return the sum in nanoseconds; None when a part is not a number with a unit, or when the text is empty."""
    total, position = 0, 0
    while position < len(text):
        number, position = _run(text, position, number=True)
        unit, position = _run(text, position, number=False)
        whole, point, fraction = number.partition(".")
        if unit not in _UNITS_NS or not (whole or fraction) or "." in fraction:
            return None
        unit_ns = _UNITS_NS[unit]
        whole, fraction = whole.lstrip("0"), fraction[:_MAX_DIGITS] if point else ""
        if len(whole) > _MAX_DIGITS:
            return LONGEST_NS + 1
        total += int(whole or "0") * unit_ns
        total += int(fraction or "0") * unit_ns // 10 ** len(fraction)
    return total if text else None


def _run(text: str, start: int, *, number: bool) -> tuple[str, int]:
    """Return the longest run of digits and points (or of anything else) from `start`, and where it ends."""
    end = start
    while end < len(text) and (text[end] in _DIGITS or text[end] == ".") is number:
        end += 1
    return text[start:end], end


def _go_error(text: str) -> str:
    """Go's message for a text that is not a duration."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    position = 0
    while position < len(rest):
        number, position = _run(rest, position, number=True)
        if number in ("", ".") or number.count(".") > 1:
            break
        unit, position = _run(rest, position, number=False)
        if not unit:
            return f"time: missing unit in duration {go_quote(text)}"
        if unit not in _UNITS_NS:
            return f"time: unknown unit {go_quote(unit)} in duration {go_quote(text)}"
    return f"time: invalid duration {go_quote(text)}"


def format_go_duration_s(seconds: float) -> str:
    """Format seconds as Go does: `10s`, `1m30s`, `1h0m0s`, `500ms`, `0s`."""
    return format_go_duration_ns(round(seconds * SECOND_NS))


def format_go_duration_ns(nanoseconds: int) -> str:
    """Format nanoseconds as Go does."""
    sign, size = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if size < SECOND_NS:
        return sign + _below_a_second(size)
    minutes, rest = divmod(size, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, SECOND_NS)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else sign + seconds


def _below_a_second(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "0s"
    for unit in ("ms", "µs"):
        if nanoseconds >= _UNITS_NS[unit]:
            return f"{_decimal(nanoseconds, _UNITS_NS[unit])}{unit}"
    return f"{nanoseconds}ns"


def _decimal(amount: int, unit_ns: int) -> str:
    whole, rest = divmod(amount, unit_ns)
    digits = str(rest).rjust(len(str(unit_ns)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
