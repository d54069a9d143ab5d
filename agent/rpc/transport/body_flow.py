"""Bodies that pass a connection in parts: windows of both sides, and turns of those that write.

The receiver's side of a body is `ArrivingStream`, taken part by part, or `ArrivingBody`, kept until it is whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from pyconsul.agent.rpc.transport.frames import WINDOW_BYTES, FrameError

GRANT_BYTES = WINDOW_BYTES // 2  # taken bytes for which the sender gets credit at once


class _ReceiveWindow:
    """Bytes that the sender of one body may still send, and those that were taken since its last credit."""

    def __init__(self, grant: Callable[[int], None]) -> None:
        self._grant = grant
        self._allowed = WINDOW_BYTES
        self._taken = 0

    def receive(self, size: int) -> None:
        """Count received bytes.  Raises FrameError when the sender had no credit for them."""
        self._allowed -= size
        if self._allowed < 0:
            raise FrameError("more of a body than this agent has allowed")

    def take(self, size: int) -> None:
        """Count taken bytes, and allow as many more when they are worth a frame."""
        self._taken += size
        if self._taken >= GRANT_BYTES:
            granted, self._taken = self._taken, 0
            self._allowed += granted
            self._grant(granted)


class ArrivingBody:
    """A body that is kept until it is whole."""

    def __init__(self, grant: Callable[[int], None], first: bytes, limit: int) -> None:
        self._window = _ReceiveWindow(grant)
        self._parts = [first]
        self._size, self._limit = len(first), limit

    def feed(self, data: bytes, last: bool) -> None:
        """Add a part; after it `too_large` may be true.  Raises FrameError."""
        self._window.receive(len(data))
        self._size += len(data)
        if not self.too_large:
            self._parts.append(data)
        if not last and data:
            self._window.take(len(data))

    @property
    def too_large(self) -> bool:
        """Return whether the body is larger than allowed."""
        return self._size > self._limit

    @property
    def whole(self) -> bytes:
        """Return what has arrived."""
        return b"".join(self._parts)


class ArrivingStream:
    """A stream: what arrives before it is taken is one part."""

    def __init__(self, grant: Callable[[int], None]) -> None:
        self._window = _ReceiveWindow(grant)
        self._waiting = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.ended = False

    def feed(self, data: bytes, last: bool) -> None:
        """Add a part.  Raises FrameError."""
        self._window.receive(len(data))
        self._waiting += data
        self.ended = last
        self._wake()

    def lose(self, error: Exception) -> None:
        """End the stream with an error, once all that has arrived is taken."""
        if not self.ended:
            self.ended, self._error = True, error
            self._wake()

    def finish(self) -> None:
        """End the stream as if its sender had, once all that has arrived is taken."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next_part(self) -> bytes:
        """Return the next part, b"" at the end.  Raises the error of `lose`."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self.ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        part = bytes(self._waiting)
        self._waiting.clear()
        if not self.ended:
            self._window.take(len(part))
        return part


class BodyParts(AsyncIterator[bytes]):
    """A stream for those who read it.

    abandon: called when it is closed or dropped before its end, or when a task is cancelled while it waits for a part.
    """

    def __init__(self, arriving: ArrivingStream, abandon: Callable[[], None]) -> None:
        self._arriving, self._abandon = arriving, abandon
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        try:
            part = await self._arriving.next_part()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if not part:
            raise StopAsyncIteration
        return part

    def finish(self) -> None:
        """Let the stream end after what has arrived; its sender may send nothing more."""
        if not self._arriving.ended:
            self._arriving.finish()
            self._abandon()

    async def aclose(self) -> None:
        """End the stream."""
        self._closed = True
        if not self._arriving.ended:
            self._abandon()

    def __del__(self) -> None:
        if not self._closed and not self._arriving.ended:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._abandon)  # any thread may collect garbage


class SendWindow:
    """Bytes of one body that this agent may still send."""

    def __init__(self) -> None:
        self.credit = WINDOW_BYTES
        self._waiter: asyncio.Future[None] | None = None

    def spend(self, size: int) -> None:
        """Count sent bytes."""
        self.credit -= size

    def add(self, count: int) -> None:
        """Count bytes that the receiver has allowed."""
        self.credit += count
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def opened(self) -> None:
        """Wait until at least one byte may be sent."""
        while self.credit <= 0:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class WriteTurns:
    """Lets bodies write one after the other, a part each, while the other agent reads slower than they write."""

    def __init__(self) -> None:
        self.paused = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a turn; `give` must follow."""
        if not self.paused and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def pause(self) -> None:
        """Refuse writes from now on."""
        self.paused = True

    def resume(self) -> None:
        """Let them go on."""
        self.paused = False
        self.give()

    def give(self) -> None:
        """Let the next one write."""
        while self._waiting and not self.paused:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
