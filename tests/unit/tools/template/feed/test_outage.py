"""What is said about an outage, how old the data is, and what is held back."""

from __future__ import annotations

import pytest

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.outage import MAX_HOLD_S, Outage

A, B = lookups.key("a"), lookups.key("b")
GONE, DENIED = ConsulError("refused"), ConsulError("403", 403)


def known(_: object) -> bool:
    return True


def running() -> Outage:
    outage = Outage("host:1")
    outage.over(A, 0.0)
    outage.over(B, 0.0)
    return outage


def test_an_outage_and_its_end_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = running()
    assert [outage.begin(lookup, GONE, 1.0) for lookup in (A, B, A)] == [True, False, False]
    assert outage.unreachable
    assert [outage.over(lookup, 2.0) for lookup in (A, B)] == [True, False]
    assert not outage.unreachable
    assert [record.message for record in caplog.records] == [
        "lost Consul at host:1; files keep their last content; retrying: refused",
        "Consul at host:1 answers again",
    ]


def test_an_agent_that_never_answered_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    Outage("host:1").begin(A, GONE, 1.0)
    assert [record.message for record in caplog.records] == ["cannot reach Consul at host:1; retrying: refused"]


def test_a_refusal_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    outage = running()
    outage.begin(A, DENIED, 1.0)
    outage.begin(A, DENIED, 2.0)
    assert not outage.unreachable
    assert not outage.holds(2.0)
    assert len(caplog.records) == 1
    outage.begin(A, GONE, 3.0)
    outage.begin(A, DENIED, 4.0)
    assert not outage.unreachable


def test_answers_are_held_until_all_are_back() -> None:
    outage = running()
    outage.begin(A, GONE, 1.0)
    outage.begin(B, GONE, 1.0)
    outage.over(A, 100.0)
    assert outage.holds(100.0)
    outage.over(B, 101.0)
    assert not outage.holds(101.0)


def test_polled_lookups_hold_nothing_back() -> None:
    outage = running()
    outage.begin(lookups.own_node(), GONE, 1.0)
    assert outage.unreachable
    assert not outage.holds(1.0)


def test_one_that_never_comes_back_does_not_hold_for_ever() -> None:
    outage = running()
    outage.begin(A, GONE, 1.0)
    outage.begin(B, GONE, 1.0)
    assert outage.holds(1e6)
    outage.over(A, 1e6)
    assert outage.holds(1e6 + MAX_HOLD_S - 1)
    assert not outage.holds(1e6 + MAX_HOLD_S)
    outage.begin(A, GONE, 2e6)  # gone again: that is the outage
    assert outage.holds(2e6)


def test_the_age_of_the_data() -> None:
    outage = Outage("host:1")
    assert outage.age(known, 1.0) is None
    outage.over(A, 1.0)
    outage.over(B, 1.0)
    assert outage.age(known, 50.0) == 0.0
    outage.begin(A, ConsulError("silence", silent=45.0), 100.0)
    outage.begin(B, GONE, 110.0)
    outage.begin(A, GONE, 120.0)
    assert outage.age(known, 130.0) == 75.0
    assert outage.age(lambda lookup: lookup is B, 130.0) == 20.0
    outage.over(A, 130.0)
    outage.forget(B)
    assert outage.age(known, 130.0) == 0.0


def test_its_length_is_logged_at_growing_intervals(caplog: pytest.LogCaptureFixture) -> None:
    outage = running()
    outage.begin(A, GONE, 1000.0)
    caplog.clear()
    times = []
    for _ in range(6):
        times.append(outage.next_log_at - 1000.0)
        outage.log_duration(outage.next_log_at)
    assert times == [60.0, 300.0, 900.0, 3600.0, 7200.0, 10800.0]
    texts = [record.message for record in caplog.records]
    assert texts[1] == "Consul at host:1 has not answered for 5m0s; files show data of that age"
    assert "2h0m0s" in texts[4]
