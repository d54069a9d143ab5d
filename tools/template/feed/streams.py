"""Follow many lookups on a few connections: a pyconsul agent sends all changes in a stream (`/v1/pyconsul/watch`).

The lookups that are added in one iteration of the event loop share a stream. When there are many streams, one replaces
them all; it continues at the indexes of the latest answers. After an outage everything is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from pyconsul.tools.consul.client import ConsulClient, ConsulError

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

PATH = "/v1/pyconsul/watch"
#: Maximum number of streams; above it one stream replaces them.
_MAX_STREAMS = 8
#: Maximum number of queries that the agent takes in one stream.
_MAX_QUERIES = 10_000
#: Time without a line after which the agent counts as gone; it sends one at least every 15 s.
_MAX_SILENCE_S = 45.0
#: Maximum number of unused lookups that streams still follow before one without them is opened.
_MAX_IDLE = 100


class Line(msgspec.Struct):
    """One stream message: an answer, an error, or (ID 0) the end of the first answers."""

    ID: int = 0
    Index: int = 0
    Status: int = 0
    Body: Any = None
    Text: str = ""
    Filtered: bool = False


class Sink(Protocol):
    """Receives the messages of streams."""

    def answered(self, lookup: Lookup, body: Any) -> None:
        """Take the JSON of an answer; None for "not found"."""

    def filtered(self, lookup: Lookup) -> None:
        """Note that the token hides a part of an answer."""

    def refused(self, lookup: Lookup, error: ConsulError) -> None:
        """Note that the stream does not follow this lookup any more."""

    def lost(self, lookups: Iterable[Lookup], error: ConsulError, failures: int) -> float | None:
        """Note the consecutive failures of a stream; returns the seconds until the next try, None for no other try."""

    def unsupported(self, lookups: Iterable[Lookup]) -> None:
        """Note that the agent has no streams; all lookups must be followed in another way."""


class _Feed:
    """One stream. The ID of a query is the position of its lookup, from 1. `ready`: all first answers have come."""

    def __init__(self, lookups: list[Lookup], replaces: list[_Feed]) -> None:
        self.lookups = lookups
        self.replaces = replaces
        self.ready = False
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Streams:
    """All streams to one agent; they report to the sink."""

    def __init__(self, client: ConsulClient, sink: Sink) -> None:
        self._client = client
        self._sink = sink
        self._feeds: list[_Feed] = []
        self._owners: dict[Lookup, _Feed | None] = {}  # the stream that follows it; None: not followed yet
        self._index: dict[Lookup, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._worked = False

    def __contains__(self, lookup: Lookup) -> bool:
        return lookup in self._owners

    def add(self, lookup: Lookup, index: int = 0) -> None:
        """Follow a lookup; `index`: of its latest answer."""
        self._owners[lookup] = None
        self._index[lookup] = index
        self._schedule(0)

    def drop(self, lookup: Lookup) -> None:
        """Stop following a lookup."""
        if lookup in self._owners:
            del self._owners[lookup], self._index[lookup]
            if self._idle() > max(_MAX_IDLE, len(self._owners)):
                self._schedule(0)

    def retry_now(self) -> None:
        """Open streams at once: Consul answers again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._schedule(0)

    async def close(self) -> None:
        """Close all streams."""
        if self._timer is not None:
            self._timer.cancel()
        self._owners.clear()
        feeds = [old for feed in self._feeds for old in (feed, *feed.replaces)]
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*(feed.task for feed in feeds if feed.task), return_exceptions=True)

    def _idle(self) -> int:
        return sum(len(feed.lookups) for feed in self._feeds) - len(self._owners)

    def _schedule(self, delay: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._open)

    def _open(self) -> None:
        """Open streams for all lookups that none follows."""
        self._timer = None
        replaces: list[_Feed] = []
        new = [lookup for lookup, owner in self._owners.items() if owner is None]
        if len(self._feeds) >= _MAX_STREAMS or self._idle() + len(new) > max(_MAX_IDLE, len(self._owners)):
            replaces, self._feeds, new = self._feeds, [], list(self._owners)
        elif not new:
            return
        for start in range(0, len(new), _MAX_QUERIES):
            # The old streams end when the first new one is ready; each lookup has one owner at any time.
            feed = _Feed(new[start : start + _MAX_QUERIES], replaces)
            replaces = []
            self._owners.update(dict.fromkeys(feed.lookups, feed))
            self._feeds.append(feed)
            feed.task = asyncio.create_task(self._read(feed))
        for old in replaces:
            old.cancel()

    async def _read(self, feed: _Feed) -> None:
        # Consul's own agent has no streams; a plain request finds that out before httpx is loaded.
        if not self._worked and await self._client.lacks(PATH):
            self._give_up()
            return
        try:
            async with aclosing(self._client.lines(PATH, self._request_body(feed), _MAX_SILENCE_S)) as parts:
                async for lines in parts:
                    self._failures = 0
                    for line in lines:
                        self._dispatch_line(feed, line)
        except ConsulError as error:
            self._broken(feed, error)

    def _request_body(self, feed: _Feed) -> bytes:
        stale = {"stale": ""} if self._client.max_stale > 0 else {}
        queries = [
            {"ID": place, "Path": lookup.path, "Params": lookup.query | stale, "Index": self._index.get(lookup, 0)}
            for place, lookup in enumerate(feed.lookups, 1)
        ]
        return msgspec.json.encode({"Queries": queries})

    def _dispatch_line(self, feed: _Feed, text: bytes) -> None:
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ConsulError(f"POST {PATH}: a line is not JSON: {error}", 200) from error
        self._worked = True
        if not 0 < line.ID <= len(feed.lookups):
            self._is_ready(feed)
            return
        lookup = feed.lookups[line.ID - 1]
        if self._owners.get(lookup) is not feed:
            return
        if line.Index and line.Status in (200, 404):
            self._index[lookup] = line.Index
            self._sink.answered(lookup, line.Body)
            if line.Filtered:
                self._sink.filtered(lookup)
        else:
            del self._owners[lookup], self._index[lookup]
            words = " ".join(line.Text.split())[:200]
            self._sink.refused(lookup, ConsulError(f"GET {lookup.path}: {line.Status}: {words}", line.Status))

    @staticmethod
    def _is_ready(feed: _Feed) -> None:
        feed.ready = True
        for old in feed.replaces:
            old.cancel()
        feed.replaces = []

    def _broken(self, feed: _Feed, error: ConsulError) -> None:
        """Request the lookups of a broken stream again, together with the others."""
        successor = next((other for other in self._feeds if feed in other.replaces), None)
        if successor is not None:
            # Another agent may respond now, where the same index means something else.
            successor.cancel()
            feed = successor
        if feed in self._feeds:
            self._feeds.remove(feed)
        self._is_ready(feed)
        lookups = [lookup for lookup in feed.lookups if self._owners.get(lookup) is feed]
        if not lookups:
            return
        if error.status and not (self._worked and error.status >= 500):
            self._give_up()
            return
        self._failures += 1
        for lookup in lookups:
            self._owners[lookup], self._index[lookup] = None, 0
        again = self._sink.lost(lookups, ConsulError(str(error), silent=error.silent), self._failures)
        if again is not None:
            self._schedule(again)

    def _give_up(self) -> None:
        """Give all lookups back: the agent has no such endpoint."""
        for feed in self._feeds:
            feed.cancel()
        lookups = list(self._owners)
        self._feeds.clear()
        self._owners.clear()
        self._index.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sink.unsupported(lookups)
