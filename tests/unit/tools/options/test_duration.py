"""Go's durations and quiescence timers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.options.duration import parse_config_duration_s, parse_wait_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("10s", 10), ("250ms", 0.25), ("1h30m", 5400), ("1.5s", 1.5), (".5m", 30), ("3us", 3e-6), ("-2s", -2)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_config_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "often", "5", "5 s", "s", "1d", "5s!", "--1s"])
def test_invalid_durations(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_config_duration_s(text)


def test_bare_numbers_of_configuration_files() -> None:
    assert parse_config_duration_s(5) == 5
    assert parse_config_duration_s(5_000_000_000) == pytest.approx(5)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_config_duration_s(f"{hours}h{minutes}m{seconds}s") == pytest.approx(
        hours * 3600 + minutes * 60 + seconds
    )


def test_wait() -> None:
    assert parse_wait_s("5s:20s") == (5, 20)
    assert parse_wait_s("5s") == (5, 20)
    assert parse_wait_s("") == (0, 0)


@pytest.mark.parametrize("text", ["20s:5s", "soon", "5s:", "-5s"])
def test_invalid_waits(text: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        parse_wait_s(text)
