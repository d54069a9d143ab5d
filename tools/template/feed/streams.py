"""Lookups on a few connections together: a pyconsul agent tells all that changes in a stream (`/v1/pyconsul/watch`).

The lookups that are new in one turn of the loop share a stream. When there are many streams, one takes the place of
all; it goes on where they were, by the indexes of the latest answers. After an outage everything is read anew.
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
#: Streams that are open before one takes their place.
_MANY = 8
#: Queries that the agent takes in one stream.
_MOST = 10_000
#: Seconds of silence after which the agent is gone; it says every 15 s that it is there.
_SILENCE = 45.0
#: Lookups that nobody wants any more, but are still told, before a stream without them is opened.
_IDLE = 100


class Line(msgspec.Struct):
    """What the agent says: an answer, a refusal, or (ID 0) that all is told."""

    ID: int = 0
    Index: int = 0
    Status: int = 0
    Body: Any = None
    Text: str = ""
    Filtered: bool = False


class Sink(Protocol):
    """Who is told what."""

    def answered(self, lookup: Lookup, body: Any) -> None:
        """Take the JSON of an answer; None for "not found"."""

    def filtered(self, lookup: Lookup) -> None:
        """Note that the token hides a part of an answer."""

    def refused(self, lookup: Lookup, error: ConsulError) -> None:
        """Note that the stream does not follow this lookup any more."""

    def lost(self, lookups: Iterable[Lookup], error: ConsulError, failures: int) -> float | None:
        """Consul does not answer, for so many times in a row. Returns when (seconds) it is tried again; None: not."""

    def unsupported(self, lookups: Iterable[Lookup]) -> None:
        """Note that the agent has no streams; all lookups must be followed in another way."""


class _Feed:
    """One stream. Its queries' IDs are the places of its lookups, from 1. `ready`: all that was asked has been told."""

    def __init__(self, lookups: list[Lookup], replaces: list[_Feed]) -> None:
        self.lookups = lookups
        self.replaces = replaces
        self.ready = False
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Streams:
    """All streams to one agent. Those of the sink's methods that do not say otherwise are called for what was added."""

    def __init__(self, client: ConsulClient, sink: Sink) -> None:
        self._client = client
        self._sink = sink
        self._feeds: list[_Feed] = []
        self._owners: dict[Lookup, _Feed | None] = {}  # who tells it; None: nobody as yet
        self._index: dict[Lookup, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._worked = False

    def __contains__(self, lookup: Lookup) -> bool:
        return lookup in self._owners

    def add(self, lookup: Lookup, index: int = 0) -> None:
        """Follow a lookup, too; `index`: of the answer that is known."""
        self._owners[lookup] = None
        self._index[lookup] = index
        self._schedule(0)

    def drop(self, lookup: Lookup) -> None:
        """Follow it no more."""
        if lookup in self._owners:
            del self._owners[lookup], self._index[lookup]
            if self._idle() > max(_IDLE, len(self._owners)):
                self._schedule(0)

    def hurry(self) -> None:
        """Consul is there again: ask at once."""
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
        """Ask for all that nobody tells."""
        self._timer = None
        replaces: list[_Feed] = []
        new = [lookup for lookup, owner in self._owners.items() if owner is None]
        if len(self._feeds) >= _MANY or self._idle() + len(new) > max(_IDLE, len(self._owners)):
            replaces, self._feeds, new = self._feeds, [], list(self._owners)
        elif not new:
            return
        for start in range(0, len(new), _MOST):
            # The old ones end with the first that takes their place; a lookup has one owner all the time.
            feed = _Feed(new[start : start + _MOST], replaces)
            replaces = []
            self._owners.update(dict.fromkeys(feed.lookups, feed))
            self._feeds.append(feed)
            feed.task = asyncio.create_task(self._read(feed))
        for old in replaces:
            old.cancel()

    async def _read(self, feed: _Feed) -> None:
        # Consul's own agent has none; a plain request tells that sooner than httpx is loaded.
        if not self._worked and await self._client.lacks(PATH):
            self._give_up()
            return
        try:
            async with aclosing(self._client.lines(PATH, self._question(feed), _SILENCE)) as parts:
                async for lines in parts:
                    self._failures = 0
                    for line in lines:
                        self._tell(feed, line)
        except ConsulError as error:
            self._broken(feed, error)

    def _question(self, feed: _Feed) -> bytes:
        stale = {"stale": ""} if self._client.max_stale > 0 else {}
        queries = [
            {"ID": place, "Path": lookup.path, "Params": lookup.query | stale, "Index": self._index.get(lookup, 0)}
            for place, lookup in enumerate(feed.lookups, 1)
        ]
        return msgspec.json.encode({"Queries": queries})

    def _tell(self, feed: _Feed, text: bytes) -> None:
        try:
            line = msgspec.json.decode(text, type=Line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ConsulError(f"POST {PATH}: a line is no JSON: {error}", 200) from error
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
            # Another agent may be there now, where the same index means something else.
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
