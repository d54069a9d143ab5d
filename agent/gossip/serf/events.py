"""User events: each is delivered once per member and rebroadcast once, without a central list of what was sent.

An event that the buffer of recent events calls NEW (rules: `recent.py`; its key is name and payload) is delivered and rebroadcast
byte for byte; SEEN and OLD ones are ignored; all others, and those of more than 9 KiB, are ignored with a warning.

Delivery is in order of arrival. The buffer goes into push/pull, so that members that missed events get them; these are not
rebroadcast. There is no coalescing: Consul switches it off. Source: Serf's behavior (PROTOCOL, sections 8.3, 8.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.gossip.serf.effects import NOTHING, Broadcast, Effect, Effects, LogLine, Queue, UserEventReceived
from pyconsul.agent.gossip.serf.lamport import LamportClock
from pyconsul.agent.gossip.serf.recent import RecentBuffer, Verdict
from pyconsul.agent.gossip.serf.settings import HARD_SIZE_LIMIT
from pyconsul.agent.gossip.wire.serf_messages import Event, EventSlot, UserEvent, encode_serf_message

_WARNINGS = {
    Verdict.EXPIRED: "it is too old to tell whether it was seen",
    Verdict.INVALID: "the time is invalid",
    Verdict.FLOOD: "too many events have this time",
}


class EventTooLarge(ValueError):
    """A user event above the size limit; the text says which."""


class UserEvents:
    """The event clock and the buffer of recent user events."""

    def __init__(self, *, size_limit: int, seen_time: int = 0) -> None:
        """`seen_time`: the event clock of the snapshot; events at or below it were delivered before the restart."""
        self._recent: RecentBuffer[tuple[str, bytes]] = RecentBuffer(seen_time=seen_time)
        self._size_limit = min(size_limit, HARD_SIZE_LIMIT)

    @property
    def clock(self) -> LamportClock:
        """The clock of user events."""
        return self._recent.clock

    def fire(self, name: str, payload: bytes, *, coalesce: bool) -> tuple[int, Effects]:
        """Start an event of this agent; returns its Lamport time and effects. Raises EventTooLarge."""
        if len(name.encode()) + len(payload) > self._size_limit:
            raise EventTooLarge(f"user event exceeds configured limit of {self._size_limit} bytes before encoding")
        time = self.clock.time
        event = UserEvent(time, name, payload, coalesce)
        message = encode_serf_message(event)
        if len(message) > self._size_limit:
            raise EventTooLarge(f"user event exceeds configured limit of {self._size_limit} bytes after encoding")
        return time, self.receive(event, message)

    def receive(self, event: UserEvent, message: bytes | None) -> Effects:
        """Take in an event; `message` is its encoding, to be rebroadcast, or None if it came by push/pull."""
        payload = event.payload or b""
        if len(event.name) + len(payload) > HARD_SIZE_LIMIT:
            text = f"ignored user event from gossip: {len(payload)} bytes, more than {HARD_SIZE_LIMIT}"
            return (LogLine("user-event-too-large", text),)
        verdict = self._recent.admit(event.time, (event.name, payload))
        if verdict is Verdict.NEW:
            received = UserEventReceived(event.time, event.name, payload, event.coalesce)
            return (received, Broadcast(Queue.EVENTS, message)) if message is not None else (received,)
        if verdict not in _WARNINGS:
            return NOTHING
        text = f"ignored user event: name={event.name!r} time={event.time} now={self.clock.time}: {_WARNINGS[verdict]}"
        return (LogLine(f"user-event-{verdict.name.lower()}", text),)

    def ignore_before(self, time: int) -> None:
        """Deliver no event below this Lamport time any more."""
        self._recent.ignore_before(time)

    def buffer(self) -> tuple[EventSlot | None, ...]:
        """Return the 512 slots for a push/pull."""
        return tuple(
            EventSlot(slot[0], tuple(Event(name, payload) for name, payload in slot[1])) if slot else None
            for slot in self._recent.slots()
        )

    def merge(self, slots: Sequence[EventSlot | None] | None) -> list[Effect]:
        """Take in the events of a peer's buffer."""
        effects: list[Effect] = []
        for slot in slots or ():
            for event in (slot.events or ()) if slot else ():
                if slot and event:
                    effects.extend(self.receive(UserEvent(slot.time, event.name, event.payload, False), None))
        return effects
