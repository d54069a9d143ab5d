"""Answers as bytes, kept for as long as nothing they depend on changes.

An entry listens to the topics its answer was made from; the first change drops it.  So a
catalog that does not change is encoded once, and a stale answer cannot be served.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from pyconsul.agent.httpapi.answer import Answer
from pyconsul.agent.httpapi.server.contract import Wire
from pyconsul.agent.httpapi.server.wire import wire
from pyconsul.agent.state.watch import Watches

LIMIT = 16 << 20  # bytes of answers


class Entry:
    """One cached answer."""

    __slots__ = ("answer", "cache", "key", "prefixes", "topics", "wire")

    def __init__(
        self, cache: AnswerCache, key: Hashable, answer: Answer, topics: tuple[str, ...], prefixes: tuple[str, ...]
    ) -> None:
        self.cache, self.key, self.answer, self.topics, self.prefixes = cache, key, answer, topics, prefixes
        self.wire: Wire | None = None

    def render(self) -> Wire:
        """The answer as it goes over a connection, kept in `wire` from now on."""
        self.wire = wire(self.answer)
        return self.wire

    def drop(self) -> None:
        self.cache.discard(self)


class AnswerCache:
    """Cached responses by what was asked."""

    def __init__(self, watches: Watches, limit: int = LIMIT) -> None:
        self._watches = watches
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self.get = self._entries.get  # the entry of a key, or None

    def put(self, key: Hashable, answer: Answer, topics: tuple[str, ...], prefixes: tuple[str, ...]) -> None:
        """Keep an answer until one of its topics changes or room is needed (the oldest go first)."""
        if len(answer.body) > self._limit // 4 or not (topics or prefixes):
            return
        if (old := self._entries.get(key)) is not None:
            self.discard(old)
        entry = Entry(self, key, answer, topics, prefixes)
        self._entries[key] = entry
        self._size += len(answer.body)
        self._watches.add(entry.drop, topics, prefixes)
        while self._size > self._limit:
            self.discard(next(iter(self._entries.values())))

    def discard(self, entry: Entry) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            self._size -= len(entry.answer.body)
            self._watches.remove(entry.drop, entry.topics, entry.prefixes)

    def clear_on(self, topic: str) -> None:
        """Drop everything whenever a topic is fired: it may change any answer."""

        def clear() -> None:
            self.clear()
            if not self._watches.closed:
                self._watches.add(clear, (topic,))

        self._watches.add(clear, (topic,))

    def clear(self) -> None:
        """Drop everything."""
        for entry in list(self._entries.values()):
            self.discard(entry)

    def __len__(self) -> int:
        return len(self._entries)
