"""One HTTP request whose answer comes line by line, for as long as the server has something to tell."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import httptools

from pyconsul.tools.httpwire import WireError

#: Bytes that may lie here unread; then the server has to wait.
_HIGH_WATER = 4 << 20
#: Bytes of an error's text that are kept.
_TEXT = 4096


class LineStream(asyncio.Protocol):
    """The answer's lines, on a connection of their own. The methods `on_…` are called by the parser."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._lines: list[bytes] = []
        self._rest: list[bytes] = []  # of a line that has not come to its end
        self._size = 0
        self._end = ""  # why nothing more will come
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        #: The answer's status; 0 until its head has come.
        self.status = 0

    async def ask(self, request: bytes, patience: float) -> None:
        """Send the request and wait (seconds) for the head of its answer. Raises WireError."""
        assert self._transport is not None
        self._transport.write(request)
        while not self.status:
            await self._more(patience)

    async def take(self, patience: float) -> list[bytes]:
        """The lines that have come since the last time, at least one.

        Raises WireError at the end of the answer, and when there is nothing for that many seconds.
        """
        while not self._lines:
            await self._more(patience)
        lines, self._lines, self._size = self._lines, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return lines

    async def text(self, patience: float) -> str:
        """The body of an error."""
        try:
            while self._size < _TEXT:
                await self._more(patience)
        except WireError:
            pass
        return b"\n".join([*self._lines, *self._rest])[:_TEXT].decode(errors="replace")

    async def _more(self, patience: float) -> None:
        if self._end:
            raise WireError(self._end)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(patience):
                await self._waiter
        except TimeoutError:
            raise WireError(f"no answer within {patience:g}s", patience) from None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, text: str) -> None:
        self._end = self._end or text
        self._wake()
        self.close()

    # What the transport and the parser call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._finish(f"the answer is no HTTP: {error}")
            return
        if self._size > _HIGH_WATER and self._lines and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= HTTPStatus.OK else 0

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        first, *others = body.split(b"\n")
        self._rest.append(first)
        for part in others:
            self._lines.append(b"".join(self._rest))
            self._rest = [part]

    def on_message_complete(self) -> None:
        if self.status:
            self._finish("the stream has ended")

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(str(exc) if exc else "the connection was closed")

    def close(self) -> None:
        """Read no more."""
        if self._transport is not None:
            self._transport.abort()
