"""Lamport clocks: the logical times that order intents, user events and queries.

Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978; Serf uses three of them
(members, events, queries), each starting at 1.
"""

from __future__ import annotations

#: Times at or above this are refused. Real clocks wrap at 2^64 - 1, so that one forged time would freeze the pool; the distance
#: of 2^32 leaves room for the times that this agent itself draws after it has accepted the highest allowed one.
MAX_LTIME = (1 << 64) - (1 << 32)


class LamportClock:
    """A counter that never runs behind a time it has witnessed."""

    __slots__ = ("_time",)

    def __init__(self, time: int = 1) -> None:
        self._time = time

    @property
    def time(self) -> int:
        """The next time that this clock gives out."""
        return self._time

    def increment(self) -> int:
        """Advance by one and return the new time."""
        self._time += 1
        return self._time

    def witness(self, time: int) -> bool:
        """Move past a time received from another member. Returns False, and changes nothing, for a refused time."""
        if not 0 <= time < MAX_LTIME:
            return False
        if time >= self._time:
            self._time = time + 1
        return True
