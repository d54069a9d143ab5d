"""Sprig's functions for times and durations that do not ask for the current time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.sprig.values import integer_of
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import int64
from pyconsul.tools.gotemplate.text.go_time import DAYS, MONTHS, format_time, parse_duration_ns, parse_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = datetime(1, 1, 1, tzinfo=UTC)
_SECOND = 10**9
_UNITS = (
    (365 * 24 * 3600 * _SECOND, "y"),
    (30 * 24 * 3600 * _SECOND, "mo"),
    (24 * 3600 * _SECOND, "d"),
    (3600 * _SECOND, "h"),
    (60 * _SECOND, "m"),
    (_SECOND, "s"),
)


class Named(int):
    """A month or a day of the week: a number that prints as its name."""

    go_type = "time.Month"
    name = ""

    def __go_string__(self) -> str:
        return self.name


def _named(value: int, name: str, go_type: str) -> Named:
    named = Named(value)
    named.name = name
    named.go_type = go_type
    return named


class Time:
    """A Go time.Time, to the microsecond."""

    go_type: ClassVar[str] = "time.Time"
    go_fields: ClassVar[tuple[str, ...]] = ()
    go_pointer: ClassVar[bool] = False
    go_methods: ClassVar[dict[str, Function]]

    def __init__(self, value: datetime) -> None:
        self.value = value

    def __go_string__(self) -> str:
        return format_time(self.value, "2006-01-02 15:04:05.999999999 -0700 MST")

    def __go_json__(self) -> str:
        return format_time(self.value, "2006-01-02T15:04:05.999999999Z07:00")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    @property
    def nanoseconds(self) -> int:
        """Since the epoch."""
        return (self.value - _EPOCH) // timedelta(microseconds=1) * 1000


Time.go_methods = {
    "Day": function(lambda time: time.value.day),
    "Equal": function(lambda time, other: time == other, "time.Time"),
    "After": function(lambda time, other: time.value > other.value, "time.Time"),
    "Before": function(lambda time, other: time.value < other.value, "time.Time"),
    "Format": function(lambda time, layout: format_time(time.value, layout), "string"),
    "Hour": function(lambda time: time.value.hour),
    "IsZero": function(lambda time: time.value == _ZERO),
    "Minute": function(lambda time: time.value.minute),
    "Month": function(lambda time: _named(time.value.month, MONTHS[time.value.month - 1], "time.Month")),
    "Nanosecond": function(lambda time: time.value.microsecond * 1000),
    "Second": function(lambda time: time.value.second),
    "String": function(lambda time: time.__go_string__()),
    "UTC": function(lambda time: Time(time.value.astimezone(UTC))),
    "Unix": function(lambda time: int64(time.nanoseconds // _SECOND)),
    "UnixMilli": function(lambda time: int64(time.nanoseconds // 10**6)),
    "UnixNano": function(lambda time: int64(time.nanoseconds)),
    "Weekday": function(lambda time: _named(time.value.isoweekday() % 7, DAYS[time.value.weekday()], "time.Weekday")),
    "Year": function(lambda time: time.value.year),
    "YearDay": function(lambda time: time.value.timetuple().tm_yday),
}


def to_date(layout: str, text: str) -> Time:
    """Return the time that a text means, or the year 1."""
    try:
        return Time(parse_time(layout, text))
    except GoError:
        return Time(_ZERO)


def modify(duration: str, time: Any, strict: bool = False) -> Any:
    """Return the time, later by a duration; the same when that is none."""
    if not isinstance(time, Time):
        raise GoError("wrong type for value; expected time.Time")
    try:
        return Time(time.value + timedelta(microseconds=parse_duration_ns(duration) // 1000))
    except GoError:
        if strict:
            raise
        return time


def duration_of(seconds: Any) -> str:
    """Format seconds as Go prints a duration."""
    return format_go_duration_ns(integer_of(seconds) * _SECOND)


def duration_round(value: Any) -> str:
    """Return a duration in its largest unit: `2h`."""
    try:
        nanoseconds = parse_duration_ns(value) if isinstance(value, str) else int(integer_of(value))
    except GoError:
        nanoseconds = 0
    sign, size = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, name in _UNITS:
        if size > unit:
            return f"{sign}{size // unit}{name}"
    return "0s"


_MUST_MODIFY = function(lambda duration, time: modify(duration, time, strict=True), "string", ANY)

FUNCTIONS: Mapping[str, Function] = {
    "duration": function(duration_of, ANY),
    "durationRound": function(duration_round, ANY),
    "mustDateModify": _MUST_MODIFY,
    "mustToDate": function(lambda layout, text: Time(parse_time(layout, text)), "string", "string"),
    "must_date_modify": _MUST_MODIFY,
    "toDate": function(to_date, "string", "string"),
    "unixEpoch": function(lambda time: str(time.nanoseconds // _SECOND), "time.Time"),
}
