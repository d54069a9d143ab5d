"""The cache of a client agent: `?cached` reads.  Source: https://developer.hashicorp.com/consul/api-docs/features/caching

A response that can be waited for is kept up to date by a blocking query while it is used.  Any other one ages, and
`Cache-Control` says how old it may be.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import NamedTuple

from pyconsul.agent.httpapi.core.rendering import MISS
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import RPCError
from pyconsul.agent.rpc.forwarding.follow import AskRead, follow
from pyconsul.agent.rpc.forwarding.question import Question, index_of

TTL_S = 3 * 86400.0  # without use, after which a response is dropped; Consul's
MAX_BYTES = 32 << 20  # of all responses
ENTRY_BYTES = 4096  # memory of an entry without its response: its query to the servers included
Key = tuple[bytes, str]


class CacheControl(NamedTuple):
    """The directives of a request, in seconds; None: not given.  `must_revalidate` is `max_age` 0."""

    max_age: float | None = None
    stale_if_error: float = 0.0


def cache_control(header: bytes) -> CacheControl:
    """Return the directives of a `Cache-Control` header, whose form has been checked."""
    max_age, stale_if_error = None, 0.0
    for directive in header.decode("latin-1").lower().split(","):
        name, _, number = directive.strip().partition("=")
        if name == "must-revalidate":
            max_age = 0.0
        elif name == "max-age" and number and max_age is None:
            max_age = float(number)
        elif name == "stale-if-error" and number:
            stale_if_error = float(number)
    return CacheControl(max_age, stale_if_error)


class _Entry:
    """A response.  index: 0 if it cannot be waited for.  current_at: when it was known to be current, None while it is."""

    def __init__(self, response: Response, now: float) -> None:
        self.response, self.index = response, index_of(response)
        self.current_at: float | None = now
        self.used = now
        self.task: asyncio.Task[None] | None = None
        self.changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def size(self) -> int:
        """Return the bytes that it counts for."""
        return len(self.response.body) + ENTRY_BYTES

    def age(self, now: float) -> float:
        """Return the seconds since it was known to be current."""
        return 0.0 if self.current_at is None else now - self.current_at

    def replace(self, response: Response, index: int) -> None:
        """Take a newer response, and wake those that wait for it."""
        self.response, self.index = response, index
        self.wake()

    def wake(self) -> None:
        changed, self.changed = self.changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)


class AgentCache:
    """The kept responses.  limit: bytes of all of them.  now: seconds of a clock that never goes back."""

    def __init__(
        self,
        ask: AskRead,
        rng: random.Random,
        limit: int = MAX_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._rng, self._limit, self._now = ask, rng, limit, now
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()  # least recently used first
        self._fetching: dict[Key, asyncio.Task[Response]] = {}
        self._size = 0

    async def read(self, question: Question, control: CacheControl, *, follows: bool) -> Response:
        """Return a kept response, or else that of a server.  follows: the read can be waited for.  Raises RPCError."""
        entry = self._entry(question.key)
        if entry is not None and self._suffices(entry, control):
            return self._hit(entry)
        try:
            return await self._fetch(question, follows)
        except RPCError:
            if entry is not None and entry.age(self._now()) <= control.stale_if_error:
                return self._hit(entry)
            raise

    async def wait(self, question: Question, index: int, seconds: float) -> Response:
        """Return the response once its index passes `index`, or at the end of the time.  Raises RPCError."""
        entry = self._entry(question.key)
        if entry is None or not entry.index:
            response = await self._fetch(question, True)
            entry = self._entry(question.key)
            if entry is None or index_of(response) > index:
                return response
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while entry.index <= index and self._entries.get(question.key) is entry:
                    await asyncio.shield(entry.changed)
        return self._hit(entry)

    def close(self) -> None:
        """Follow nothing any more, and end the waiting reads: the agent stops."""
        for key in list(self._entries):
            self._drop(key)

    def _entry(self, key: Key) -> _Entry | None:
        """Return an entry, which counts as used now."""
        now = self._now()
        while self._entries and next(iter(self._entries.values())).used < now - TTL_S:
            self._drop(next(iter(self._entries)))
        entry = self._entries.get(key)
        if entry is not None:
            entry.used = now
            self._entries.move_to_end(key)
        return entry

    def _suffices(self, entry: _Entry, control: CacheControl) -> bool:
        """Return whether a response is young enough; one that is kept up to date always is."""
        if entry.task is not None or control.max_age is None:
            return True
        return control.max_age > 0 and entry.age(self._now()) <= control.max_age

    def _hit(self, entry: _Entry) -> Response:
        response = entry.response
        age = b"%d" % entry.age(self._now())
        headers = (*response.headers, (b"X-Cache", b"HIT"), (b"Age", age))
        return Response(response.status, response.body, headers)

    async def _fetch(self, question: Question, follows: bool) -> Response:
        """Ask a server, once for all that want the same, and keep the response."""
        fetching = self._fetching.get(question.key)
        if fetching is None:
            fetching = asyncio.get_running_loop().create_task(self._fetch_once(question, follows))
            self._fetching[question.key] = fetching
            fetching.add_done_callback(partial(self._fetched, question.key))
        response = await asyncio.shield(fetching)
        return Response(response.status, response.body, (*response.headers, MISS))

    def _fetched(self, key: Key, fetching: asyncio.Task[Response]) -> None:
        self._fetching.pop(key, None)
        if not fetching.cancelled():
            fetching.exception()  # all that waited may be gone

    async def _fetch_once(self, question: Question, follows: bool) -> Response:
        response = await self._ask(question.plain())
        if response.status in (200, 404):
            self._keep(question, response, follows)
        return response

    def _keep(self, question: Question, response: Response, follows: bool) -> None:
        self._drop(question.key)
        entry = self._entries[question.key] = _Entry(response, self._now())
        self._size += entry.size
        if follows and entry.index:
            entry.current_at = None
            entry.task = asyncio.get_running_loop().create_task(self._follow(question, entry))
        self._make_room()

    def _make_room(self) -> None:
        while self._size > self._limit and self._entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size
            if entry.task is not None:
                entry.task.cancel()
            entry.wake()

    async def _follow(self, question: Question, entry: _Entry) -> None:
        """Keep a response up to date until it is dropped, or until there is an error in its place."""
        async with aclosing(follow(self._ask, question, entry.index, self._rng)) as all_news:
            async for news in all_news:
                if isinstance(news, RPCError):
                    entry.current_at = entry.current_at or self._now()
                    continue
                if not news.index:
                    break
                self._size -= entry.size
                entry.replace(news.response, news.index)
                self._size += entry.size
                entry.current_at = None
                self._make_room()
        if self._entries.get(question.key) is entry:
            self._drop(question.key)
