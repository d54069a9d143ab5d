"""Caches: answers as bytes, and the digested instances of services, each until one of its topics changes.

An answer is kept under the bytes that asked for it.  Where the order of records is random, several
orderings are kept and used in turn, and one is replaced regularly, so that a catalog
that does not change still spreads its clients over all instances.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Generic, TypeVar

from pyconsul.agent.state.watches import Watches

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ORDERINGS = 16  # orderings of an answer
ROUNDS = 2  # uses of each before one is replaced
MAX_WINDOWS = 256  # answers to one question that show parts of the instances; with more instances none is cached
WINDOW_ROUNDS = 64  # uses of each before all are replaced


class Orderings:
    """The orderings of one answer.  `ready` holds what `take` gives next.  `large`: not for every client."""

    __slots__ = ("_made", "_make", "large", "ready")

    def __init__(self, first: bytes, make: Callable[[], bytes] | None) -> None:
        """`make` makes another ordering; without it there is only one."""
        self.large = False
        self._make = make
        self._made = [first]
        self.ready: list[bytes] = []

    def take(self) -> bytes:
        """Return the answer, in one of its orderings."""
        if not self.ready:
            self._refill()
        return self.ready.pop()

    def _refill(self) -> None:
        """Refill `ready`: with one more ordering, or a new one for the oldest, and each `ROUNDS` times.

        So an answer that is soon stale costs few orderings, and one that lives gets all of them.
        """
        made = self._made
        if self._make is not None:
            made.append(self._make())
            if len(made) > ORDERINGS:
                del made[0]
        self.ready.extend(made * ROUNDS)


class Windows:
    """The answers to one question of which each shows a part of all instances: one for each place where a part can begin.

    Few at first, each used once, so that an answer that is soon stale costs little. The complete set is used for some
    rounds, and then made again. `ready` and `large` are as above.
    """

    __slots__ = ("_count", "_made", "_make", "_rounds", "large", "ready")

    def __init__(self, make: Callable[[], bytes], count: int) -> None:
        """`make` makes the next of the `count` answers."""
        self.large = False
        self._make, self._count = make, count
        self._made: list[bytes] = []
        self._rounds = 0
        self.ready: list[bytes] = []

    def take(self) -> bytes:
        """Return the next answer."""
        if not self.ready:
            self._refill()
        return self.ready.pop()

    def _refill(self) -> None:
        made = self._made
        if len(made) >= self._count:
            if self._rounds:
                self._rounds -= 1
                self.ready.extend(made)
                return
            made.clear()
        fresh = [self._make() for _ in range(min(len(made) or 1, self._count - len(made)))]
        made.extend(fresh)
        self.ready.extend(fresh)
        self._rounds = WINDOW_ROUNDS


class TopicCache(Generic[K, V]):
    """Values by key, each until one of its topics changes or room is needed (the oldest go first)."""

    def __init__(self, watches: Watches, limit: int) -> None:
        """`limit`: maximum sum of the sizes of the values."""
        self.values: dict[K, V] = {}
        self._watches, self._limit = watches, limit
        self._size = 0
        self._sizes: dict[K, int] = {}
        self._topics: dict[K, tuple[str, ...]] = {}
        self._users: dict[str, dict[K, None]] = {}
        self._listeners: dict[str, Callable[[], None]] = {}

    def put(self, key: K, value: V, topics: Iterable[str], size: int) -> None:
        """Keep a value, unless it is larger than a quarter of the limit."""
        self.drop(key)
        if size > self._limit // 4:
            return
        while self._size + size > self._limit:
            self.drop(next(iter(self.values)))
        self.values[key] = value
        self._sizes[key] = size
        self._size += size
        self._topics[key] = topics = tuple(topics)
        for topic in topics:
            users = self._users.get(topic)
            if users is None:
                users = self._users[topic] = {}
                listener = self._listeners[topic] = partial(self._changed, topic)
                self._watches.add(listener, (topic,))
            users[key] = None

    def drop(self, key: K) -> None:
        """Drop a value, if it is kept."""
        self.values.pop(key, None)
        self._size -= self._sizes.pop(key, 0)
        for topic in self._topics.pop(key, ()):
            users = self._users.get(topic)
            if users is not None:
                users.pop(key, None)
                if not users:
                    del self._users[topic]
                    self._watches.remove(self._listeners.pop(topic), (topic,))

    def clear(self) -> None:
        """Drop all values."""
        for key in list(self.values):
            self.drop(key)

    def _changed(self, topic: str) -> None:
        self._listeners.pop(topic, None)
        for key in self._users.pop(topic, ()):
            self.drop(key)

    def __len__(self) -> int:
        return len(self.values)
