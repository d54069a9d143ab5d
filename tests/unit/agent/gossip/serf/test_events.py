"""User events: delivered once, whatever is repeated, reordered or sent again by push/pull."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.serf.effects import Broadcast, Effects, LogLine, Queue, UserEventReceived
from pyconsul.agent.gossip.serf.events import EventTooLarge, UserEvents
from pyconsul.agent.gossip.serf.lamport import MAX_LTIME
from pyconsul.agent.gossip.serf.recent import MAX_BUFFERED, MAX_REMEMBERED, RecentMessages
from pyconsul.agent.gossip.serf.settings import BUFFER_SLOTS
from pyconsul.agent.gossip.wire.serf_messages import (
    Event,
    EventSlot,
    UserEvent,
    decode_serf_message,
    encode_serf_message,
)


def events(*, size_limit: int = 512, seen_time: int = 0) -> UserEvents:
    return UserEvents(size_limit=size_limit, seen_time=seen_time)


def receive(machine: UserEvents, time: int, name: str = "deploy", payload: bytes | None = b"v1") -> Effects:
    event = UserEvent(time, name, payload, False)
    return machine.receive(event, encode_serf_message(event))


def delivered(effects: Effects) -> list[tuple[int, str, bytes]]:
    return [(it.time, it.name, it.payload) for it in effects if isinstance(it, UserEventReceived)]


def warnings(effects: Effects) -> list[str]:
    return [it.category for it in effects if isinstance(it, LogLine)]


def test_a_fired_event_is_delivered_here_and_broadcast() -> None:
    machine = events()
    time, effects = machine.fire("deploy", b"v1", coalesce=True)
    assert time == 1
    assert effects[0] == UserEventReceived(1, "deploy", b"v1", True)
    assert isinstance(effects[1], Broadcast)
    assert effects[1].queue is Queue.EVENTS
    assert decode_serf_message(effects[1].message) == UserEvent(1, "deploy", b"v1", True)
    assert machine.fire("deploy", b"v1", coalesce=True)[0] == 2  # the same again is another event
    assert machine.clock.time == 3


def test_a_received_event_is_delivered_and_rebroadcast_once() -> None:
    machine = events()
    message = encode_serf_message(UserEvent(40, "deploy", None, False)) + b"unread"
    event = UserEvent(40, "deploy", None, False)
    assert machine.receive(event, message) == (
        UserEventReceived(40, "deploy", b"", False),
        Broadcast(Queue.EVENTS, message),
    )
    assert machine.receive(event, message) == ()
    assert machine.clock.time == 41
    assert delivered(receive(machine, 40, "deploy", b"other")) == [(40, "deploy", b"other")]
    assert delivered(receive(machine, 40, "restart", None)) == [(40, "restart", b"")]
    assert delivered(receive(machine, 41, "deploy", None)) == [(41, "deploy", b"")]


@given(st.lists(st.tuples(st.integers(1, 500), st.sampled_from(["a", "b"]), st.sampled_from([b"", b"1"]))))
def test_within_the_window_each_event_is_delivered_exactly_once(sent: list[tuple[int, str, bytes]]) -> None:
    machine = events()
    seen = [event for item in sent + sent[::-1] for event in delivered(receive(machine, *item))]
    assert seen == list(dict.fromkeys(sent))


def test_an_event_older_than_the_buffer_is_ignored_with_a_warning() -> None:
    machine = events()
    receive(machine, 1000)
    assert machine.clock.time == 1001
    assert delivered(receive(machine, 1001 - BUFFER_SLOTS))
    effects = receive(machine, 1000 - BUFFER_SLOTS)
    assert delivered(effects) == []
    assert warnings(effects) == ["user-event-expired"]


def test_after_a_restart_no_event_comes_twice() -> None:
    machine = events(seen_time=20)
    assert machine.clock.time == 21
    assert receive(machine, 20) == ()
    assert delivered(receive(machine, 21)) == [(21, "deploy", b"v1")]


def test_a_join_can_ignore_old_events() -> None:
    machine = events()
    machine.ignore_before(30)
    machine.ignore_before(10)
    assert receive(machine, 29) == ()
    assert delivered(receive(machine, 30))


def test_invalid_times_and_sizes_are_refused() -> None:
    machine = events()
    for time in (MAX_LTIME, (1 << 64) - 1):
        assert warnings(receive(machine, time)) == ["user-event-invalid"]
    assert machine.clock.time == 1
    assert warnings(receive(machine, 2, payload=bytes(9 * 1024))) == ["user-event-too-large"]


@pytest.mark.parametrize(
    ("name", "payload", "text"),
    [
        ("n" * 13, b"p" * 500, "512 bytes before encoding"),
        ("n", b"p" * 500, "512 bytes after encoding"),
        ("é" * 256, b"p", "before"),
    ],
)
def test_large_events_are_not_fired(name: str, payload: bytes, text: str) -> None:
    machine = events()
    with pytest.raises(EventTooLarge, match=text):
        machine.fire(name, payload, coalesce=False)
    assert machine.clock.time == 1
    machine.fire("n", b"p" * 400, coalesce=False)


def test_the_limit_cannot_be_configured_above_nine_kibibytes() -> None:
    with pytest.raises(EventTooLarge, match="limit of 9216 bytes"):
        events(size_limit=1 << 20).fire("n", bytes(9216), coalesce=False)


def test_the_buffer_has_a_slot_for_each_time_modulo_its_size() -> None:
    machine = events()
    receive(machine, 3, "a", b"1")
    receive(machine, 3, "b", None)
    receive(machine, 515, "c", None)  # takes over slot 3
    receive(machine, 514, "d", None)
    buffer = machine.buffer()
    assert len(buffer) == BUFFER_SLOTS
    assert buffer[3] == EventSlot(515, (Event("c", b""),))
    assert buffer[2] == EventSlot(514, (Event("d", b""),))
    assert [index for index, slot in enumerate(buffer) if slot] == [2, 3]


def test_a_peer_s_buffer_is_merged_without_rebroadcast() -> None:
    first, second = events(), events()
    receive(first, 3, "a", b"1")
    receive(first, 4, "b", b"2")
    receive(second, 4, "b", b"2")
    assert second.merge(first.buffer()) == [UserEventReceived(3, "a", b"1", False)]
    assert second.merge(first.buffer()) == []
    assert second.merge(None) == []
    assert second.merge((None, EventSlot(9, None), EventSlot(9, (None,)))) == []


def test_a_flood_at_one_time_is_bounded_and_does_not_stop_later_events() -> None:
    machine = events()
    for number in range(MAX_BUFFERED):
        assert delivered(receive(machine, 5, f"e{number}"))
    assert warnings(receive(machine, 5, "one too many")) == ["user-event-flood"]
    assert delivered(receive(machine, 6, "later"))
    assert receive(machine, 5, "e1") == ()  # that time is closed now
    assert machine.buffer()[5] is None
    assert machine.buffer()[6] == EventSlot(6, (Event("later", b"v1"),))
    for number in range(MAX_BUFFERED - 1):
        assert delivered(receive(machine, 6, f"e{number}"))


def test_a_flood_of_times_keeps_the_buffer_small() -> None:
    machine = events()
    for time in range(1, 20_000):
        assert delivered(receive(machine, time))
    assert sum(slot is not None for slot in machine.buffer()) == BUFFER_SLOTS


def test_copies_of_recent_messages_are_recognized_without_decoding() -> None:
    recent = RecentMessages()
    for number in range(3 * MAX_REMEMBERED):
        recent.add(b"%d" % number)
        assert b"%d" % number in recent
        assert b"%d" % max(0, number - MAX_REMEMBERED // 2 + 1) in recent
    assert b"0" not in recent
    assert b"%d" % (2 * MAX_REMEMBERED - 1) not in recent
    recent.add(bytes(2000))
    assert bytes(2000) not in recent
