"""User events: whom they concern, which are remembered, and when a reader wakes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.local_agent import service_row

from pyconsul.agent.events.event_log import MAX_EVENTS, TOPIC, EventLog
from pyconsul.agent.events.user_event import EventError, check, concerns, index_of
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.state.watches import Watches


def event(name: str = "deploy", **fields: Any) -> UserEvent:
    plain: dict[str, Any] = {"payload": None, "node_filter": "", "service_filter": "", "tag_filter": "", "ltime": 0}
    return UserEvent(id=str(uuid.uuid4()), name=name, version=1, **{**plain, **fields})


@pytest.mark.parametrize(
    ("fields", "does"),
    [
        ({}, True),
        ({"node_filter": "n1"}, True),
        ({"node_filter": "^n[0-9]$"}, True),
        ({"node_filter": "n2"}, False),
        ({"service_filter": "w.*"}, True),
        ({"service_filter": "db"}, False),
        ({"service_filter": "web", "tag_filter": "bl"}, True),
        ({"service_filter": "web", "tag_filter": "green"}, False),
        ({"node_filter": "n1", "service_filter": "db"}, False),
    ],
)
def test_whom_an_event_concerns(fields: dict[str, str], does: bool) -> None:
    assert concerns(event(**fields), "n1", [service_row("web", tags=["blue", "eu"])]) is does


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tag_filter": "x"}, "Cannot provide tag filter without service filter"),
        ({"node_filter": "("}, "Invalid node filter: error parsing regexp: missing closing ): `(`"),
        ({"service_filter": "["}, "Invalid service filter: error parsing regexp: missing closing ]: `[`"),
    ],
)
def test_what_cannot_be_fired(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(EventError) as caught:
        check(event(**fields))
    assert str(caught.value) == text


def test_the_last_ones_are_remembered() -> None:
    events = EventLog(Watches())
    for number in range(MAX_EVENTS + 10):
        events.add(event(str(number)))
    assert [one.name for one in events.recent()] == [str(number) for number in range(10, MAX_EVENTS + 10)]
    assert [one.name for one in events.recent("20")] == ["20"]


def test_readers_wake() -> None:
    watches, woken = Watches(), []
    watches.add(lambda: woken.append(True), (TOPIC,))
    EventLog(watches).add(event())
    assert woken == [True]


def test_events_of_one_turn_are_ordered_by_their_lamport_times() -> None:
    watches, turn, woken = Watches(), [], []  # type: ignore[var-annotated]
    watches.add(lambda: woken.append(True), (TOPIC,))
    events = EventLog(watches, turn.append)
    for time in (3, 5, 4):
        events.add(event(str(time), ltime=time))
    assert (len(turn), woken) == (1, [])
    assert [one.name for one in events.recent()] == ["3", "4", "5"]
    turn.pop()()
    assert woken == [True]
    events.add(event("1", ltime=1))  # later: a reader has seen the others
    turn.pop()()
    assert [one.name for one in events.recent()] == ["3", "4", "5", "1"]


def test_the_index_of_nothing() -> None:
    assert index_of([]) == 1


@given(st.uuids())
def test_the_index_is_made_of_the_last_id(number: uuid.UUID) -> None:
    one = UserEvent(str(number), "x", None, "", "", "", 1, 0)
    assert index_of([event(), one]) == (number.int >> 64) ^ (number.int & (1 << 64) - 1)
