"""Two connections whose bytes pass when a test says so: no socket, no time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer, Serve
from pyconsul.agent.rpc.transport.connection import Connection
from pyconsul.agent.rpc.transport.serving import Service
from support.eventually import one_turn

T = TypeVar("T")

QUIET_TURNS = 6  # without a byte, after which nothing more happens by itself


class MemoryTransport(asyncio.Transport):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__({"peername": ("10.0.0.9", 1234)})
        self.written = bytearray()
        self.is_closed = self.is_aborted = False
        self._high = 1 << 16
        self._protocol: Connection | None = None
        self._is_paused = False

    def attach(self, connection: Connection) -> None:
        """Belong to a connection."""
        self._protocol = connection

    def write(self, data: Any) -> None:
        assert not self.is_aborted
        self.written += data
        if len(self.written) > self._high and not self._is_paused and self._protocol is not None:
            self._is_paused = True
            self._protocol.pause_writing()

    def take(self, size: int) -> bytes:
        """Return the next bytes, and let the connection write again once few are left."""
        data = bytes(self.written[:size])
        del self.written[:size]
        if self._is_paused and len(self.written) <= self._high // 4 and self._protocol is not None:
            self._is_paused = False
            self._protocol.resume_writing()
        return data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed


class Pair:
    """The connection of a dialing agent `web1` and that of the server `s1`.  changes: calls of `changed`, by the agent's name."""

    def __init__(self, serve: Serve, serve_back: Serve | None = None) -> None:
        self.near_transport, self.far_transport = MemoryTransport(), MemoryTransport()
        self.changes: list[str] = []
        self.near = Connection(
            self.near_transport,
            Peer("id-s1", "s1", "dc1", True),
            is_dialer=True,
            service=Service(serve_back or serve),
            changed=lambda _: self.changes.append("web1"),
        )
        self.far = Connection(
            self.far_transport,
            Peer("id-web1", "web1", "dc1", False),
            is_dialer=False,
            service=Service(serve),
            changed=lambda _: self.changes.append("s1"),
        )
        self.near_transport.attach(self.near)
        self.far_transport.attach(self.far)

    @property
    def in_flight(self) -> tuple[int, int]:
        """Return the number of requests under way, as each side sees it."""
        return self.near.in_flight, self.far.in_flight

    async def settle(self, *, near_reads: bool = True, far_reads: bool = True, size: int = 1 << 20) -> None:
        """Pass all bytes, at most `size` at a time, until nothing happens any more."""
        quiet = 0
        while quiet < QUIET_TURNS:
            await one_turn()
            moved = far_reads and self.pass_on(size)
            moved = (near_reads and self.pass_back(size)) or moved
            quiet = 0 if moved else quiet + 1

    def pass_on(self, size: int = 1 << 20) -> bool:
        """Pass bytes of the near side; return whether there were any."""
        return self._pass(self.near_transport, self.far_transport, self.far, size)

    def pass_back(self, size: int = 1 << 20) -> bool:
        """Pass bytes of the far side."""
        return self._pass(self.far_transport, self.near_transport, self.near, size)

    def _pass(self, source: MemoryTransport, target: MemoryTransport, connection: Connection, size: int) -> bool:
        if target.is_aborted or connection.ended.done():
            return False
        data = source.take(size)
        if data:
            connection.data_received(data)
        elif source.is_closed:
            connection.connection_lost(None)
            return True
        return bool(data)

    def cut(self) -> None:
        """Let both sides see the end of the connection."""
        for connection in (self.near, self.far):
            if not connection.ended.done():
                connection.connection_lost(ConnectionResetError(104, "x"))

    async def result(self, asked: Awaitable[T], **settings: bool) -> T:
        """Pass bytes until something is there, and return it."""
        task = asyncio.ensure_future(asked)
        await self.settle(**settings)
        assert task.done(), "there is no response"
        return task.result()

    async def ask(self, request: HTTPRequest) -> Response:
        """Send a request to the far side, and return the response."""
        return await self.result(self.near.ask(request))


class Gate:
    """Responses that come when a test says so.  Counts the requests that were cancelled."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, asyncio.Future[Response]] = {}
        self.cancelled: list[bytes] = []

    async def serve(self, request: HTTPRequest, _: Peer) -> Response:
        """Wait for `open`."""
        future = self.waiting[request.target] = asyncio.get_running_loop().create_future()
        try:
            return await future
        except asyncio.CancelledError:
            self.cancelled.append(request.target)
            raise

    def open(self, target: bytes, body: bytes = b"opened") -> None:
        """Let a response go."""
        self.waiting.pop(target).set_result(Response(200, body))


async def parts_of(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield parts."""
    for part in parts:
        yield part


async def broken_after(part: bytes, error: Exception) -> AsyncIterator[bytes]:
    """Yield one part, and fail."""
    yield part
    raise error


async def endless(closed: Callable[[], object] = lambda: None) -> AsyncIterator[bytes]:
    """Yield parts for ever.  closed: called at the end."""
    try:
        while True:
            yield b"x" * 10_000
    finally:
        closed()


async def whole(response: Response) -> bytes:
    """Return the body of a response, streamed or not."""
    if response.stream is None:
        return response.body
    return response.body + b"".join([part async for part in response.stream])
