"""How many results in a row change a status."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.thresholds import Thresholds, thresholds_of

P, W, C = "passing", "warning", "critical"


@pytest.mark.parametrize(
    ("limits", "results", "expected"),
    [
        ((0, 0, 0), [P, C, W, C, P], [P, C, W, C, P]),
        ((3, 3, 5), [P, C, C, C, C, C, W, W, W], [P, None, None, W, W, C, None, None, W]),
        ((3, 3, 5), [C, P, P, P], [C, None, None, P]),
        ((0, 0, 3), [P, C, C, C], [P, None, None, C]),
        ((0, 1, 3), [P, C, C, C], [P, W, W, C]),
        ((0, 0, 4), [C], [C]),
        ((2, 0, 2), [P, C, P, C, P, C, C], [P, None, None, None, None, None, C]),
        ((2, 0, 0), [P, C, P, W, P], [P, C, None, W, P]),
    ],
)
def test_sequences(limits: tuple[int, int, int], results: list[str], expected: list[str | None]) -> None:
    counters = Thresholds(*limits)
    assert [counters.status_after(result) for result in results] == expected


def test_limits_come_from_the_definition() -> None:
    counters = thresholds_of(CheckDefinition(success_before_passing=2, failures_before_critical=2))
    assert [counters.status_after(result) for result in (P, C, C, P, P)] == [P, None, C, None, P]


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.sampled_from([P, W, C]))
def test_the_first_result_counts_at_once(success: int, warning: int, critical: int, result: str) -> None:
    assert Thresholds(success, min(warning, critical), critical).status_after(result) == result


@settings(deadline=None)
@given(st.lists(st.sampled_from([P, W, C]), max_size=30), st.integers(0, 4), st.integers(0, 4))
def test_critical_is_reported_only_after_enough_failures_in_a_row(
    results: list[str], success: int, critical: int
) -> None:
    counters = Thresholds(success, 0, critical)
    for position, result in enumerate(results):
        row = 0
        while row <= position and results[position - row] == C:
            row += 1
        told = counters.status_after(result)
        first = row == position + 1
        assert (told == C) is (result == C and (row >= critical or first))
