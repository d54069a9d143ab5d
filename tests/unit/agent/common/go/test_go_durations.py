"""Go's durations: what is read, what is written, and that the two agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.go.durations import (
    LONGEST_NS,
    format_go_duration_ns,
    format_go_duration_s,
    parse_go_duration_ns,
    parse_go_duration_s,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1h0m0s", 3600.0),
        ("0", 0.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("-2s", -2.0),
        ("+2s", 2.0),
        ("10µs", 1e-5),
        ("10us", 1e-5),
        ("7ns", 7e-9),
        ("1s1s", 2.0),
    ],
)
def test_parses_as_go_does(text: str, seconds: float) -> None:
    assert parse_go_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", ".s", "10x", "1 s", " 1s", "1s ", "ten", "-", "1.2.3s", "999999999h", "٣s"]
)
def test_refuses_as_go_does(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_go_duration_s(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (10, "10s"),
        (90, "1m30s"),
        (3600, "1h0m0s"),
        (0.5, "500ms"),
        (0, "0s"),
        (1.5, "1.5s"),
        (-90, "-1m30s"),
        (1e-6, "1µs"),
        (7e-9, "7ns"),
        (0.0015, "1.5ms"),
        (86400, "24h0m0s"),
    ],
)
def test_writes_as_go_writes(seconds: float, text: str) -> None:
    assert format_go_duration_s(seconds) == text


@given(st.integers(-LONGEST_NS, LONGEST_NS))
def test_formatted_durations_parse_back_exactly(nanoseconds: int) -> None:
    assert parse_go_duration_ns(format_go_duration_ns(nanoseconds)) == nanoseconds


@given(st.text(alphabet="0123456789.+-nuµmsh x"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse_go_duration_ns(text)
    except ValueError:
        return
    assert abs(value) <= LONGEST_NS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("1s5", 'time: missing unit in duration "1s5"'),
        ("1.2.3s", 'time: invalid duration "1.2.3s"'),
        ("999999999h", 'time: invalid duration "999999999h"'),
        ("a\nb", r'time: invalid duration "a\nb"'),
    ],
)
def test_errors_in_go_s_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="time: ") as caught:
        parse_go_duration_ns(text, go_error=True)
    assert str(caught.value) == message


def test_a_number_of_any_length_is_refused_quickly() -> None:
    with pytest.raises(ValueError, match="longer than 292 years"):
        parse_go_duration_ns("9" * 1_000_000 + "s")
    assert parse_go_duration_ns("0" * 10_000 + "1." + "5" * 10_000 + "ns") == 1
