"""An HTTP/2 connection for checks: a ping, or one request and its answer.  The `h2` library does the protocol, this does the IO."""

from __future__ import annotations

import asyncio
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

MAX_BODY = 65536  # bytes of an answer that are kept

Headers = list[tuple[str, str]]


class LinkError(Exception):
    """The connection ended, or the peer does not speak HTTP/2."""


class H2Link(asyncio.Protocol):
    """One connection; either `ping` or `ask` is called, once."""

    def __init__(self) -> None:
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def ping(self) -> None:
        """Send a ping and wait until it is answered; raises LinkError."""
        self._h2.ping(b"checking")
        self._send()
        await self._done

    async def ask(self, headers: Headers, body: bytes) -> None:
        """Send a request and wait for the whole answer, which is then in `headers` (trailers as well) and `body`."""
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, headers)
        self._h2.send_data(stream, body, end_stream=True)
        self._send()
        await self._done

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._h2.initiate_connection()
        self._send()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
        except ProtocolError as error:
            self._fail(f"http2: protocol error: {error}")
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("EOF" if exc is None else str(exc))

    def _handle(self, event: Event) -> None:
        match event:
            case PingAckReceived() | StreamEnded():
                self._finish()
            case ResponseReceived() | TrailersReceived():
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
