"""User events from gossip: which come into the log of an agent."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.local_agent import service_row
from support.scripted_pool import ScriptedPool

from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.event_receiver import EventReceiver
from pyconsul.agent.events.user_event import PREFIX, packed
from pyconsul.agent.gossip.serf.effects import UserEventReceived
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.state.watches import Watches

EVENT = UserEvent("733c8f8a-97bb-be36-2cd2-43de223a9fe8", "deploy", b"v1", "", "", "", 1, 7)


def logged(*events: UserEventReceived) -> list[UserEvent]:
    """Return the events in the log of agent n1, which has the service web, after these were received."""
    log = EventLog(Watches())
    receiver = EventReceiver(log, "n1", lambda: [service_row("web", tags=["blue"])])
    for event in events:
        receiver.receive(event)
    return log.recent()


def received(event: UserEvent, time: int = 7) -> UserEventReceived:
    return UserEventReceived(time, PREFIX + event.name, packed(event), False)


def test_events_have_their_lamport_times_and_come_in_the_order_of_arrival() -> None:
    other = replace(EVENT, name="other", ltime=3)
    assert logged(received(EVENT, 7), received(other, 3)) == [EVENT, other]


@pytest.mark.parametrize(
    ("filters", "is_logged"),
    [
        ({"node_filter": "^n1$"}, True),
        ({"node_filter": "n2"}, False),
        ({"service_filter": "web", "tag_filter": "blue"}, True),
        ({"service_filter": "web", "tag_filter": "green"}, False),
    ],
)
def test_filters_are_applied_by_the_receiver(filters: dict[str, str], is_logged: bool) -> None:
    assert bool(logged(received(replace(EVENT, **filters)))) is is_logged


def test_other_events_of_gossip_are_ignored() -> None:
    assert (
        logged(UserEventReceived(1, "consul:new-leader", b"s1", False), UserEventReceived(1, "deploy", b"", True)) == []
    )


def test_an_invalid_event_is_ignored_and_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    broken = [
        UserEventReceived(1, PREFIX + "x", b"\xc1", False),
        received(replace(EVENT, node_filter="(")),
        received(replace(EVENT, id="no-uuid")),
    ]
    assert logged(*broken, *broken, *broken, broken[0]) == []
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == [1, 10]


def test_an_event_that_this_agent_fires_is_received_by_itself() -> None:
    log, pool = EventLog(Watches()), ScriptedPool()
    pool.subscribe(EventReceiver(log, "s1", list).receive)
    pool.fire(PREFIX + EVENT.name, packed(EVENT))
    assert [one.id for one in log.recent()] == [EVENT.id]
