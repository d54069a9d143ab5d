"""When each check is due: a heap of deadlines.  Times are seconds of the caller's clock."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

K = TypeVar("K", bound=str | tuple[str, str])


class Timetable(Generic[K]):
    """At most one deadline a key.  Replaced and removed ones stay in the heap until their time comes, and are then skipped;
    the heap is rebuilt when most of it is such entries."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, K]] = []

    def __len__(self) -> int:
        return len(self._due)

    def put(self, key: K, due: float) -> None:
        """Set the key's deadline, instead of the one it had."""
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._due):
            self._heap = [(when, name) for name, when in self._due.items()]
            heapq.heapify(self._heap)

    def remove(self, key: K) -> None:
        """Forget the key's deadline, if it has one."""
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest deadline."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[K]:
        """Take out every key whose deadline has come, earliest first."""
        keys: list[K] = []
        while (due := self.next_due()) is not None and due <= now:
            _, key = heapq.heappop(self._heap)
            del self._due[key]
            keys.append(key)
        return keys
