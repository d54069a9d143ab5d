"""Times by Go's layouts (`2006-01-02 15:04:05`), and durations (`1h2m3s`).

Source: https://pkg.go.dev/time#pkg-constants
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from pyconsul.agent.common.go.durations import parse_go_duration_ns
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.syntax.quote import quote

RFC3339 = "2006-01-02T15:04:05Z07:00"
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00"
    r"|-0700|-07(?!\d)|__2|002|_2(?!006)|01|02|03|04|05|06|15|PM|pm|[.,](?:0+|9+)(?!\d)|[12345]"
)

_FORMATS: dict[str, Callable[[datetime], str]] = {
    "2006": lambda t: f"{t.year:04d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "January": lambda t: MONTHS[t.month - 1],
    "Jan": lambda t: MONTHS[t.month - 1][:3],
    "01": lambda t: f"{t.month:02d}",
    "1": lambda t: str(t.month),
    "Monday": lambda t: DAYS[t.weekday()],
    "Mon": lambda t: DAYS[t.weekday()][:3],
    "02": lambda t: f"{t.day:02d}",
    "_2": lambda t: f"{t.day:2d}",
    "2": lambda t: str(t.day),
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "15": lambda t: f"{t.hour:02d}",
    "03": lambda t: f"{t.hour % 12 or 12:02d}",
    "3": lambda t: str(t.hour % 12 or 12),
    "04": lambda t: f"{t.minute:02d}",
    "4": lambda t: str(t.minute),
    "05": lambda t: f"{t.second:02d}",
    "5": lambda t: str(t.second),
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: t.tzname() or "UTC",
}


def format_time(time: datetime, layout: str) -> str:
    """Return the time, which has a time zone, by a layout."""
    return _TOKEN.sub(lambda match: _formatted(time, match.group()), layout)


def _formatted(time: datetime, token: str) -> str:
    if token in _FORMATS:
        return _FORMATS[token](time)
    if token[0] in ".,":
        digits = f"{time.microsecond:06d}000"[: len(token) - 1]
        if token[1] == "0":
            return token[0] + digits
        digits = digits.rstrip("0")
        return token[0] + digits if digits else ""
    return _zone(time, token)


def _zone(time: datetime, token: str) -> str:
    offset = int((time.utcoffset() or timedelta()).total_seconds())
    if token[0] == "Z" and offset == 0:
        return "Z"
    hours, rest = divmod(abs(offset), 3600)
    sign, colon = "-" if offset < 0 else "+", ":" if ":" in token else ""
    text = f"{sign}{hours:02d}"
    if len(token) > 3:
        text += f"{colon}{rest // 60:02d}"
    if len(token) > 6:
        text += f"{colon}{rest % 60:02d}"
    return text


_PATTERNS = {
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short_year>\d{2})",
    "January": rf"(?P<month_name>{'|'.join(MONTHS)})",
    "Jan": rf"(?P<month_name>{'|'.join(name[:3] for name in MONTHS)})",
    "01": r"(?P<month>\d{2})",
    "1": r"(?P<month>\d{1,2})",
    "Monday": f"(?:{'|'.join(DAYS)})",
    "Mon": f"(?:{'|'.join(name[:3] for name in DAYS)})",
    "02": r"(?P<day>\d{2})",
    "_2": r" ?(?P<day>\d{1,2})",
    "2": r"(?P<day>\d{1,2})",
    "15": r"(?P<hour>\d{2})",
    "03": r"(?P<hour>\d{2})",
    "3": r"(?P<hour>\d{1,2})",
    "04": r"(?P<minute>\d{2})",
    "4": r"(?P<minute>\d{1,2})",
    "05": r"(?P<second>\d{2})(?P<fraction>[.,]\d+)?",
    "5": r"(?P<second>\d{1,2})(?P<fraction>[.,]\d+)?",
    "PM": "(?P<half>AM|PM)",
    "pm": "(?P<half>am|pm)",
    "MST": "(?:[A-Z]{3,4})",
}


def parse_time(layout: str, text: str) -> datetime:
    """Return the time that a text means by a layout, UTC where it does not say. Raises GoError."""
    complaint = f"parsing time {quote(text)} as {quote(layout)}: cannot parse"
    parts: list[str] = []
    at = 0
    for match in _TOKEN.finditer(layout):
        parts += (re.escape(layout[at : match.start()]), _pattern(match.group()))
        at = match.end()
    parts.append(re.escape(layout[at:]))
    try:
        found = re.fullmatch("".join(parts), text)
        if found is None:
            raise GoError(complaint)
        return _time_of({key: value for key, value in found.groupdict().items() if value})
    except (re.error, ValueError):
        raise GoError(complaint) from None


def _pattern(token: str) -> str:
    if token in _PATTERNS:
        return _PATTERNS[token]
    if token[0] in ".,":
        return ""  # the seconds take their fraction
    colon = ":" if ":" in token else ""
    zone = (
        r"[+-]\d{2}" + (rf"{colon}\d{{2}}" if len(token) > 3 else "") + (rf"{colon}\d{{2}}" if len(token) > 6 else "")
    )
    return f"(?P<zone>{'Z|' if token[0] == 'Z' else ''}{zone})"


def _time_of(found: dict[str, str]) -> datetime:
    month = int(found.get("month", 1))
    if "month_name" in found:
        month = next(i for i, name in enumerate(MONTHS, 1) if name.startswith(found["month_name"][:3]))
    short = int(found.get("short_year", 0))
    year = int(found.get("year", 0)) or (short + (1900 if short >= 69 else 2000) if "short_year" in found else 1)
    hour = int(found.get("hour", 0))
    if "half" in found:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    micro = int(found.get("fraction", ".0")[1:7].ljust(6, "0"))
    clock = hour, int(found.get("minute", 0)), int(found.get("second", 0)), micro
    return datetime(year, month, int(found.get("day", 1)), *clock, _parse_zone(found.get("zone", "Z")))


def _parse_zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:6]))
    return timezone(-offset if text[0] == "-" else offset) if offset else UTC


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of a duration like `1h30m` or `-1.5s`. Raises GoError."""
    try:
        return parse_go_duration_ns(text, go_error=True)
    except ValueError as error:
        raise GoError(str(error)) from None
