"""The sending half of a connection: frames of one turn of the event loop become one write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from pyconsul.agent.rpc.transport import frames
from pyconsul.agent.rpc.transport.body_flow import SendWindow, WriteTurns

FLUSH_BYTES = 64 << 10  # that are written before the turn ends
CONGESTED_BYTES = 4 << 20  # that wait, above which bodies wait for their turns
CONGESTED_INLINE_BYTES = 512
MAX_UNSENT_BYTES = 64 << 20  # that may wait while the other agent does not read


class Channel:
    """Writes frames to a transport.

    While the transport's buffer is full, frames wait here: `flushes` tells which ones were given to the transport.  stuck: called
    when more than `MAX_UNSENT_BYTES` wait.  flushed: called after each write.
    """

    def __init__(self, transport: asyncio.Transport, stuck: Callable[[], None], flushed: Callable[[], None]) -> None:
        self._transport, self._stuck, self._flushed = transport, stuck, flushed
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._size = 0
        self._turns = WriteTurns()
        self._is_held = False  # until the end of a batch
        self._is_closed = False
        self.flushes = 0

    @property
    def is_empty(self) -> bool:
        """Return whether all frames were given to the transport."""
        return not self._unsent

    @property
    def inline_bytes(self) -> int:
        """Return the size of the largest body that may be sent with its head."""
        return frames.INLINE_BYTES if self._size < CONGESTED_BYTES else CONGESTED_INLINE_BYTES

    def send(self, frame: frames.Frame) -> None:
        """Send a frame at the end of this turn of the loop.  Raises FrameError for one that is too long."""
        data = frames.encode(frame)
        if self._is_closed:
            return
        if not self._unsent and not self._is_held:
            self._loop.call_soon(self.flush)
        self._unsent.append(data)
        self._size += len(data)
        if self._size >= FLUSH_BYTES:
            self.flush()
            if self._size > MAX_UNSENT_BYTES:
                self._stuck()

    def hold(self) -> None:
        """Begin a batch: frames that follow are written by `release`."""
        self._is_held = True

    def release(self) -> None:
        """End a batch."""
        self._is_held = False
        self.flush()

    def flush(self) -> None:
        """Write the frames that wait, unless the transport's buffer is full."""
        if not self._turns.paused and self._unsent:
            data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
            self._unsent.clear()
            self._size = 0
            self.flushes += 1
            self._transport.write(data)
        self._flushed()

    def pause(self) -> None:
        """Write nothing: the transport's buffer is full."""
        self._turns.pause()

    def resume(self) -> None:
        """Go on."""
        self._turns.resume()
        self.flush()

    def close(self) -> None:
        """Send nothing more: the connection is gone."""
        self._is_closed = True
        self._unsent.clear()
        self._size = 0

    async def send_body(
        self, number: int, window: SendWindow, body: bytes, stream: AsyncIterator[bytes] | None = None
    ) -> None:
        """Send a body, and a stream that follows it, as the other agent takes them; other frames pass in between.

        Closes the stream in any case.
        """
        try:
            await self._send_part(number, window, body)
            if stream is not None:
                async for part in stream:
                    await self._send_part(number, window, part)
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()
        self.send(frames.Part(number, b"", True))

    async def _send_part(self, number: int, window: SendWindow, part: bytes) -> None:
        at = 0
        while at < len(part):
            await window.opened()
            await self._turns.take()
            end = at + min(len(part) - at, frames.PART_BYTES, window.credit)
            window.spend(end - at)
            self.send(frames.Part(number, part if end - at == len(part) else part[at:end]))
            self._turns.give()
            at = end
