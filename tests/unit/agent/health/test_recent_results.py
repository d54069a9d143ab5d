"""The last results of checks: order, limits, and equal results in a row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.health.recent_results import KEPT, OUTPUT_CHARACTERS, RecentResult, RecentResults


@given(st.lists(st.tuples(st.sampled_from(["passing", "critical"]), st.sampled_from(["", "down"])), max_size=3 * KEPT))
def test_the_last_results_are_kept_in_order(given_results: list[tuple[str, str]]) -> None:
    results = RecentResults()
    for time, (status, output) in enumerate(given_results):
        results.add("c", time, status, output)
    expected = [RecentResult(time, *one) for time, one in enumerate(given_results)]
    assert results.of("c") == expected[-KEPT:]


def test_an_output_is_cut() -> None:
    results = RecentResults()
    results.add("c", 1.0, "critical", "x" * 1000)
    assert results.of("c")[0].output == "x" * OUTPUT_CHARACTERS


def test_a_check_that_is_forgotten_has_no_results() -> None:
    results = RecentResults()
    results.add("c", 1.0, "passing", "")
    results.forget("c")
    results.forget("never seen")
    assert results.of("c") == [] == results.of("never seen")
