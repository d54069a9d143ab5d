"""Go's durations ("300ms", "1h15m"), as the flags of Consul's commands write them."""

from __future__ import annotations

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DIGITS = "0123456789."


def parse_duration(text: str) -> float:
    """Seconds of a Go duration (https://pkg.go.dev/time#ParseDuration). Raises ValueError, saying what is allowed."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    seconds = 0.0
    while rest:
        number, rest = _split(rest, of_digits=True)
        unit, rest = _split(rest, of_digits=False)
        if unit not in _UNITS or not number.strip(".") or number.count(".") > 1:
            raise ValueError(f"invalid duration {text!r}: use numbers with units, such as 500ms, 10s or 1h30m")
        seconds += float(number) * _UNITS[unit]
    if not text.strip("+-"):
        raise ValueError(f"invalid duration {text!r}: use numbers with units, such as 500ms, 10s or 1h30m")
    return -seconds if text[0] == "-" else seconds


def format_duration(nanoseconds: int) -> str:
    """How Go prints a duration: 90 s is `1m30s`, 1,500,000 ns is `1.5ms`, none is `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign = "-" if nanoseconds < 0 else ""
    left = abs(nanoseconds)
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if left < size * 1000:
            return f"{sign}{_decimal(left, size)}{unit}"
    minutes, rest = divmod(left, 60 * 1_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _decimal(value: int, size: int) -> str:
    """`value / size`, exactly, without zeros at the end."""
    whole, part = divmod(value, size)
    if not part:
        return str(whole)
    return f"{whole}.{part:0{len(str(size)) - 1}d}".rstrip("0")


def _split(text: str, *, of_digits: bool) -> tuple[str, str]:
    """The longest start of `text` that consists of digits (or of none), and the rest."""
    end = 0
    while end < len(text) and (text[end] in _DIGITS) is of_digits:
        end += 1
    return text[:end], text[end:]
