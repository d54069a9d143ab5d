"""A transport for httpx on which the cost of a request does not grow with the number of waiting ones.

Blocking queries hold hundreds of connections for minutes. The pool of httpx searches all its connections for each request
(0.4 ms beside none, 7 ms beside 900), so here each connection has its own pool, a lane.
https://www.python-httpx.org/advanced/transports/#writing-custom-transports
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx


class LongPollTransport(httpx.AsyncBaseTransport):
    """`make`: a new transport of one connection. `kept`: how many idle ones are kept at most; None: all. `expiry`: the
    seconds that they are."""

    def __init__(self, make: Callable[[], httpx.AsyncHTTPTransport], *, kept: int | None, expiry: float) -> None:
        self._make = make
        self._kept = kept
        self._expiry = expiry
        self._idle: deque[tuple[httpx.AsyncHTTPTransport, float]] = deque()  # the latest used last; since when
        self._busy: set[httpx.AsyncHTTPTransport] = set()
        self._closer: asyncio.Task[None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request for httpx; raises the errors of an httpx transport."""
        lane = self._idle.pop()[0] if self._idle else self._make()
        self._busy.add(lane)
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            await self._free(lane, whole=False)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, functools.partial(self._free, lane))
        return response

    async def _free(self, lane: httpx.AsyncHTTPTransport, *, whole: bool) -> None:
        """Free a lane after its request; `whole`: the response was read to its end. A cancelled request may leave its
        connection in the pool as if it were in use, and the next one would wait for it without end."""
        if lane not in self._busy:
            return
        self._busy.discard(lane)
        if not whole or (self._kept is not None and len(self._idle) >= self._kept):
            await lane.aclose()
            return
        self._idle.append((lane, asyncio.get_running_loop().time()))
        if self._closer is None or self._closer.done():
            self._closer = asyncio.create_task(self._close_idle())

    async def _close_idle(self) -> None:
        """Close lanes that have been idle for too long."""
        while self._idle:
            lane, since = self._idle[0]
            left = since + self._expiry - asyncio.get_running_loop().time()
            if left > 0:
                await asyncio.sleep(left)
            else:
                self._idle.popleft()
                await lane.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._closer is not None:
            self._closer.cancel()
        lanes = [*(lane for lane, _ in self._idle), *self._busy]
        self._idle.clear()
        self._busy.clear()
        for lane in lanes:
            await lane.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of a response; `free` is called at its end."""

    def __init__(self, stream: httpx.AsyncByteStream, free: Callable[..., Awaitable[None]]) -> None:
        self._stream = stream
        self._free = free
        self._whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self._whole = True

    async def aclose(self) -> None:
        whole = False
        try:
            await self._stream.aclose()
            whole = self._whole
        finally:
            await self._free(whole=whole)
