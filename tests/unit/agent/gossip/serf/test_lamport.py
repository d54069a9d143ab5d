"""Lamport clocks never run behind what they have witnessed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.serf.lamport import MAX_LTIME, LamportClock

TIMES = st.integers(0, MAX_LTIME - 1)


def test_a_clock_starts_at_one_and_counts() -> None:
    clock = LamportClock()
    assert clock.time == 1
    assert clock.increment() == 2
    assert clock.time == 2


@given(TIMES, st.lists(TIMES))
def test_a_clock_is_past_everything_witnessed(start: int, witnessed: list[int]) -> None:
    clock = LamportClock(start)
    for time in witnessed:
        before = clock.time
        assert clock.witness(time)
        assert clock.time == max(before, time + 1)


def test_times_near_the_top_are_refused() -> None:
    clock = LamportClock()
    for time in (MAX_LTIME, (1 << 64) - 1, 1 << 64, -1):
        assert not clock.witness(time)
        assert clock.time == 1
    assert clock.witness(MAX_LTIME - 1)
