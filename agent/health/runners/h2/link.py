"""An HTTP/2 connection for checks: a ping, or one request and its response. The `h2` library does the protocol, this the IO."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from pyconsul.agent.health.runners.bounds import MAX_RUN_BYTES, BoundedProtocol, excerpt

MAX_BODY = 65536  # bytes of a response that are kept
MAX_FRAMES = 1000  # frames that a peer may send in one run
_FRAME_HEAD = 9  # bytes before a frame's payload, whose length is the first three (RFC 9113, section 4.1)

Headers = list[tuple[str, str]]


class LinkError(Exception):
    """The connection ended, or the peer does not speak HTTP/2."""


class FrameCounter:
    """Counts the frames in a stream of bytes cut anywhere.

    Handling a frame costs `h2` far more time than a peer needs to send it, so frames are counted before `h2` sees them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._head = b""
        self._payload_left = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        position = 0
        while position < len(data) and self.count <= MAX_FRAMES:
            if self._payload_left:
                step = min(self._payload_left, len(data) - position)
                self._payload_left -= step
            else:
                step = min(_FRAME_HEAD - len(self._head), len(data) - position)
                self._head += data[position : position + step]
                if len(self._head) == _FRAME_HEAD:
                    self.count += 1
                    self._payload_left = int.from_bytes(self._head[:3])
                    self._head = b""
            position += step


class H2Link(BoundedProtocol):
    """One connection; either `ping` or `ask` is called, once."""

    def __init__(self) -> None:
        super().__init__()
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._frames = FrameCounter()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stream = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def ping(self) -> None:
        """Send a ping and wait until it is answered; raises LinkError."""
        await self._begin(lambda: self._h2.ping(b"checking"))

    async def ask(self, headers: Headers, body: bytes) -> None:
        """Send a request and wait for the whole answer, which is then in `headers` (trailers as well) and `body`."""

        def request() -> None:
            stream = self._stream = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream, headers)
            self._h2.send_data(stream, body, end_stream=True)

        await self._begin(request)

    async def _begin(self, send: Callable[[], None]) -> None:
        if not self.finished:  # the server may have ended the connection already
            try:
                send()
            except ProtocolError as error:
                self._fail(f"http2: protocol error: {excerpt(str(error))}")
            self._send()
        await self._done

    @property
    def finished(self) -> bool:
        return self._done.done()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._h2.initiate_connection()
        self._send()

    def take(self, data: bytes) -> None:
        self._frames.feed(data)
        if self._frames.count > MAX_FRAMES:
            self._fail(f"http2: the server sent more than {MAX_FRAMES} frames")
            return
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
        except ProtocolError as error:
            self._fail(f"http2: protocol error: {excerpt(str(error))}")
        except Exception as error:  # the library is given whatever a peer sends, and has raised other errors before
            self._fail(f"http2: malformed frame: {excerpt(str(error))}")
        self._send()

    def overrun(self) -> None:
        self._fail(f"http2: the server sent more than {MAX_RUN_BYTES} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("EOF" if exc is None else str(exc))

    def _handle(self, event: Event) -> None:
        match event:
            case PingAckReceived():
                self._finish()
            case StreamEnded() if event.stream_id == self._stream:
                self._finish()
            case ResponseReceived() | TrailersReceived() if event.stream_id == self._stream:
                self.headers.update((str(name), str(value)) for name, value in event.headers or ())
            case DataReceived():
                self.body += (event.data or b"")[: MAX_BODY - len(self.body)]
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            case StreamReset():
                self._fail(f"stream terminated by RST_STREAM with error code: {_code(event.error_code)}")
            case ConnectionTerminated():
                self._fail(f"http2: server sent GOAWAY with error code {_code(event.error_code)}")

    def _send(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(LinkError(why))
            self._done.exception()  # it may fail before anybody waits for it


def _code(number: int | None) -> str:
    try:
        return ErrorCodes(number or 0).name
    except ValueError:
        return str(number)
