"""Repeated log lines are limited and counted."""

from __future__ import annotations

from pyconsul.agent.gossip.log_limit import LogLimit, Suppressed


def test_a_few_lines_of_a_category_pass_in_an_interval() -> None:
    limit = LogLimit(interval_s=10.0)
    assert [limit.admit("packet", now, burst=2) for now in (0.0, 1.0, 2.0, 3.0)] == [True, True, False, False]
    assert limit.admit("stream", 3.0, burst=2)
    assert limit.counts == {"packet": 4, "stream": 1}


def test_what_was_suppressed_is_reported_at_the_end_of_the_interval() -> None:
    limit = LogLimit(interval_s=10.0)
    for now in (1.0, 2.0, 3.0):
        limit.admit("packet", now, burst=1)
    assert limit.deadline() == 11.0
    assert limit.expire(10.9) == []
    assert limit.expire(11.0) == [Suppressed("packet", 2)]
    assert limit.deadline() == float("inf")
    assert limit.admit("packet", 12.0, burst=1)


def test_an_interval_without_suppressed_lines_ends_by_itself() -> None:
    limit = LogLimit(interval_s=10.0)
    assert [limit.admit("packet", now, burst=1) for now in (0.0, 10.0, 20.0)] == [True, True, True]
    assert limit.expire(40.0) == []
