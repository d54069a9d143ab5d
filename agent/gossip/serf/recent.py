"""The buffer of recent messages by Lamport time: tells whether a user event or query was seen before.

Rules for a message of Lamport time t (the clock is C, the buffer has 512 slots, slot = t mod 512):

| condition, in this order | verdict |
| --- | --- |
| t refused by the clock | INVALID |
| t below the minimum time (restart, join) | OLD; C witnesses t, also in all cases below |
| t < C - 512 | EXPIRED: too old to tell whether it was seen |
| an equal key of the same t is in the buffer | SEEN |
| the buffer is full | FLOOD |
| otherwise | NEW, and put into the buffer |

Full: 8,192 messages (own bound; members that send at the same time share a Lamport time, so a slot can hold many). The oldest
slots are closed first, which makes the minimum time rise; only messages that all have one time are refused.
Source: Serf's behavior (PROTOCOL, sections 8.4, 8.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Generic, TypeVar

from pyconsul.agent.gossip.serf.lamport import LamportClock
from pyconsul.agent.gossip.serf.settings import BUFFER_SLOTS

MAX_BUFFERED = 8192
MAX_REMEMBERED = 4096  # encoded messages
MAX_REMEMBERED_BYTES = 1024  # of one of them

K = TypeVar("K")


class Verdict(Enum):
    """The result of looking a message up."""

    NEW = auto()
    SEEN = auto()
    OLD = auto()
    EXPIRED = auto()
    INVALID = auto()
    FLOOD = auto()


class _Slot(Generic[K]):
    """The keys of one Lamport time, in order of arrival."""

    __slots__ = ("keys", "time")

    def __init__(self, time: int) -> None:
        self.time = time
        self.keys: dict[K, None] = {}


class RecentBuffer(Generic[K]):
    """A Lamport clock, and the keys of the messages of its last 512 times."""

    def __init__(self, *, seen_time: int = 0) -> None:
        """`seen_time`: the highest time in the snapshot; messages at or below it were handled before the restart."""
        self.clock = LamportClock()
        self.clock.witness(seen_time)
        self._min_time = seen_time + 1 if seen_time else 0
        self._slots: list[_Slot[K] | None] = [None] * BUFFER_SLOTS
        self._buffered = 0

    def admit(self, time: int, key: K) -> Verdict:
        """Witness a time, and put the message into the buffer if it is new."""
        if not self.clock.witness(time):
            return Verdict.INVALID
        if time < self._min_time:
            return Verdict.OLD
        if time + BUFFER_SLOTS < self.clock.time:
            return Verdict.EXPIRED
        slot = self._slots[time % BUFFER_SLOTS]
        if slot is None or slot.time != time:
            slot = self._open_slot(time)
        if key in slot.keys:
            return Verdict.SEEN
        if self._buffered >= MAX_BUFFERED and not self._close_oldest(time):
            return Verdict.FLOOD
        slot.keys[key] = None
        self._buffered += 1
        return Verdict.NEW

    def ignore_before(self, time: int) -> None:
        """Treat every message below this Lamport time as old."""
        self._min_time = max(self._min_time, time)

    def slots(self) -> Iterator[tuple[int, tuple[K, ...]] | None]:
        """Return time and keys of each of the 512 slots; None for an empty one."""
        return ((slot.time, tuple(slot.keys)) if slot and slot.keys else None for slot in self._slots)

    def _open_slot(self, time: int) -> _Slot[K]:
        # The slot's old time is lower by 512 or more: a higher one would have made `time` EXPIRED.
        old = self._slots[time % BUFFER_SLOTS]
        if old:
            self._buffered -= len(old.keys)
        slot = self._slots[time % BUFFER_SLOTS] = _Slot(time)
        return slot

    def _close_oldest(self, time: int) -> bool:
        """Make room by giving up the oldest time below `time`; False if there is none."""
        oldest = min((slot for slot in self._slots if slot and slot.keys and slot.time < time), default=None, key=_time)
        if oldest is None:
            return False
        self._buffered -= len(oldest.keys)
        self._slots[oldest.time % BUFFER_SLOTS] = None
        self.ignore_before(oldest.time + 1)
        return True


class RecentMessages:
    """The encoded messages that were handled last, so that their copies, most of what arrives in a flood, need no decoding."""

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._newer: set[bytes] = set()
        self._older: set[bytes] = set()

    def __contains__(self, message: bytes) -> bool:
        return message in self._newer or message in self._older

    def add(self, message: bytes) -> None:
        """Remember a message; the oldest of more than 4,096 are forgotten. Large ones are not remembered."""
        if len(message) > MAX_REMEMBERED_BYTES:
            return
        if len(self._newer) >= MAX_REMEMBERED // 2:
            self._older, self._newer = self._newer, set()
        self._newer.add(message)


def _time(slot: _Slot[K]) -> int:
    return slot.time
