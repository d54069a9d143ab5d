"""The handshake on a socket; afterwards the transport belongs to a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyconsul.agent.common.go.network_errors import phrase
from pyconsul.agent.rpc.contract import Peer
from pyconsul.agent.rpc.transport.connection import Connection, transport_of
from pyconsul.agent.rpc.transport.handshake import Handshake, HandshakeError, MessageReader, Step


class Introduction(asyncio.Protocol):
    """Runs a handshake.  skip: bytes before its first message.  made: makes the connection to an agent that has proved itself.

    connection: the connection, or HandshakeError.
    """

    def __init__(
        self, handshake: Handshake, made: Callable[[asyncio.Transport, Peer], Connection], *, skip: int = 0
    ) -> None:
        self._handshake, self._made, self._skip = handshake, made, skip
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None
        self._step: Step | None = None
        self.connection: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport_of(transport)
        self._advance(None)

    def data_received(self, data: bytes) -> None:
        if self._skip:
            data, self._skip = data[self._skip :], max(self._skip - len(data), 0)
        self._reader.feed(data)
        try:
            while self._step is not None and self._step.expects is not None:
                message = self._reader.next(self._step.expects)
                if message is None:
                    return
                self._advance(message)
        except HandshakeError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        cause = phrase(exc) if isinstance(exc, OSError) else "the connection was closed"
        self._fail(HandshakeError(f"no handshake: {cause}"))

    def _advance(self, message: object) -> None:
        """Go on with a message, up to the next one that is needed, or to the end."""
        assert self._transport is not None
        try:
            self._step = self._handshake.send(message)
            self._transport.write(self._step.send)
            while self._step.expects is None:
                self._step = self._handshake.send(None)
        except StopIteration as stop:
            self._finish(self._transport, stop.value)
        except HandshakeError as error:
            self._fail(error)

    def _finish(self, transport: asyncio.Transport, peer: Peer) -> None:
        self._step = None
        connection = self._made(transport, peer)
        transport.set_protocol(connection)
        if not self.connection.done():
            self.connection.set_result(connection)
        if self._reader.rest:
            connection.data_received(self._reader.rest)

    def _fail(self, error: HandshakeError) -> None:
        self._step = None
        if not self.connection.done():
            self.connection.set_exception(error)
        if self._transport is not None:
            self._transport.close()
