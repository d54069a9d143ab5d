"""A request's body that is handed on while it arrives, and its way into a temporary file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, cast

from pyconsul.agent.httpapi.server.contract import BodyLost, HTTPRequest

HIGH_WATER = 64 << 10  # bytes waiting to be taken at which the client is read no further
SPOOL = 1 << 20  # bytes that a temporary file holds in memory before it is written to disk


class BodyStream(AsyncIterator[bytes]):
    """The parts of one body.  `resume` is called when more parts are needed.

    What arrives before it is taken is one part: a client may send chunks of one byte.
    """

    def __init__(self, resume: Callable[[], None]) -> None:
        self._resume = resume
        self._waiting = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self.ended = self._lost = False

    @property
    def full(self) -> bool:
        """Return whether enough parts wait."""
        return len(self._waiting) >= HIGH_WATER

    def feed(self, part: bytes) -> None:
        """Add a part that arrived."""
        self._waiting += part
        self._wake()

    def end(self) -> None:
        """Mark the body as complete."""
        self.ended = True
        self._wake()

    def lose(self) -> None:
        """Mark the body as lost: the client closed the connection."""
        self._lost = not self.ended
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def __anext__(self) -> bytes:
        while not self._waiting:
            if self._lost:
                raise BodyLost("the client went away before the end of the request")
            if self.ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        part, was_full = bytes(self._waiting), self.full
        self._waiting.clear()
        if was_full:
            self._resume()
        return part


async def spooled(request: HTTPRequest, folder: str | None = None) -> BinaryIO:
    """Return a request's body in an unnamed temporary file of a folder (None: the system's), at its start; the caller closes it.

    Raises BodyLost, OSError.
    """
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=SPOOL, dir=folder))  # noqa: SIM115
    try:
        file.write(request.body)
        if request.stream is not None:
            async for part in request.stream:
                await asyncio.to_thread(file.write, part)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
