"""Responses as bytes, kept until a topic that they depend on changes.

An entry watches the topics of its response; the first change drops it.  So a catalog that does not change is encoded
once, and a stale response cannot be served.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from pyconsul.agent.httpapi.core.response import Seen
from pyconsul.agent.httpapi.server.contract import Wire
from pyconsul.agent.httpapi.server.wire import wire
from pyconsul.agent.state.watches import Watches

LIMIT = 24 << 20  # bytes of responses, with overhead
MAX_KEY = 2048  # bytes of a target; responses to longer ones are not kept
OVERHEAD = 1500  # bytes of an entry and its listeners, without body and key


def cache_key(target: bytes, secret: bytes) -> Hashable:
    """Return the key of a response: target and caller's token; without one (or without access control) the target alone.

    A token in the target itself takes precedence over one in a header; then the key is unique to that target.
    """
    return (target, secret) if secret else target


class Entry:
    """One cached response.

    seen: the response, and the topics it depends on.
    expires: Unix seconds at which the caller's token expires; None: never.
    wire: the bytes of the response, filled in when it is first sent.
    """

    __slots__ = ("cache", "expires", "key", "response", "seen", "size", "wire")

    def __init__(self, cache: ResponseCache, key: Hashable, seen: Seen, expires: float | None) -> None:
        self.cache, self.key, self.expires = cache, key, expires
        self.seen, self.response = seen, seen.response
        self.size = 2 * len(seen.response.body) + _length(key) + OVERHEAD  # the body, and its copy in `wire`
        self.wire: Wire | None = None

    def render(self) -> Wire:
        """Return the bytes of the response, kept in `wire` from now on."""
        self.wire = wire(self.response)
        return self.wire

    def drop(self) -> None:
        self.cache.discard(self)


class ResponseCache:
    """Cached responses by what was asked."""

    def __init__(self, watches: Watches, limit: int = LIMIT, clock: Callable[[], float] = time.time) -> None:
        self._watches, self._clock = watches, clock
        self._limit = limit
        self._size = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self.get = self._entries.get  # the entry of a key without a token, or None

    def live(self, key: Hashable) -> Entry | None:
        """Return the entry of a key with a token, unless the token has expired."""
        entry = self._entries.get(key)
        if entry is not None and entry.expires is not None and entry.expires <= self._clock():
            self.discard(entry)
            return None
        return entry

    def put(self, key: Hashable, seen: Seen, expires: float | None = None) -> None:
        """Keep a response until one of its topics changes, its caller's token expires, or room is needed (the oldest go first)."""
        if expires is not None and not isinstance(key, tuple):
            return  # the agent's own token: `get` does not look at its end
        if not seen.waits or len(seen.response.body) > self._limit // 8 or _length(key) > MAX_KEY:
            return
        if (old := self._entries.get(key)) is not None:
            self.discard(old)
        entry = Entry(self, key, seen, expires)
        self._entries[key] = entry
        self._size += entry.size
        self._watches.add(entry.drop, seen.topics, seen.prefixes)
        while self._size > self._limit:
            self.discard(next(iter(self._entries.values())))

    def discard(self, entry: Entry) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            self._size -= entry.size
            self._watches.remove(entry.drop, entry.seen.topics, entry.seen.prefixes)

    def clear(self) -> None:
        """Drop everything."""
        for entry in list(self._entries.values()):
            self.discard(entry)

    def __len__(self) -> int:
        return len(self._entries)


def _length(key: Hashable) -> int:
    """Return the bytes of a target, with those of a token."""
    if isinstance(key, tuple):
        return sum(len(part) for part in key)
    assert isinstance(key, bytes)
    return len(key)
