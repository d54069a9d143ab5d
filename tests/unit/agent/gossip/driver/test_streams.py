"""Streams over real sockets: limits of the server, and the errors of the client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from support.eventually import eventually_async

from pyconsul.agent.gossip.driver import stream_server
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.sockets import SocketAddress, open_sockets
from pyconsul.agent.gossip.driver.stream_server import StreamServer
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamCodec, StreamError
from pyconsul.agent.gossip.wire.messages import (
    Ack,
    Address,
    ErrorMessage,
    Ping,
    PushPull,
    PushPullNode,
    StreamMessage,
    UserMessage,
)
from pyconsul.agent.gossip.wire.stream import encode_stream

LOOPBACK = bytes((127, 0, 0, 1))


class Handler:
    """Answers pings and push/pulls, and keeps what it takes in."""

    def __init__(self, answer: Callable[[StreamMessage], StreamMessage | None]) -> None:
        self._answer = answer
        self.taken: list[StreamMessage] = []

    def answer(self, message: StreamMessage, source: SocketAddress) -> StreamMessage | None:
        return self._answer(message)

    async def take(self, message: StreamMessage, source: SocketAddress) -> None:
        self.taken.append(message)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


def frames(*keys: bytes) -> Frames:
    return Frames(keys, verify_incoming=True, verify_outgoing=True)


def echo(message: StreamMessage) -> StreamMessage | None:
    return Ack(message.seq_no) if isinstance(message, Ping) else message if isinstance(message, PushPull) else None


@asynccontextmanager
async def serving(
    codec: StreamCodec, handler: Handler, *, timeout_s: float = 5.0, now: Callable[[], float] = lambda: 0.0
) -> AsyncIterator[Address]:
    udp, tcp = open_sockets("127.0.0.1", 0)
    udp.close()
    server = StreamServer(codec, handler, timeout_s, PoolLog("lan", now), now)
    await server.start(tcp)
    try:
        yield Address(LOOPBACK, tcp.getsockname()[1])
    finally:
        await server.close()


@pytest.mark.parametrize("keys", [(), (b"k" * 16,)])
@pytest.mark.parametrize("members", [0, 3, 2000])
async def test_a_push_pull_there_and_back(members: int, keys: tuple[bytes, ...], executor: ThreadPoolExecutor) -> None:
    nodes = tuple(PushPullNode(f"n{number}", LOOPBACK, 8301, b"m" * 100, 1, 0, bytes(6)) for number in range(members))
    message = PushPull(True, nodes, b"state")
    codec, handler = StreamCodec(frames(*keys), executor), Handler(echo)
    async with serving(codec, handler) as address:
        assert await StreamClient(codec).ask(address, lambda: message, 10.0) == message
        await eventually_async(lambda: handler.taken == [message])


async def test_a_user_message_has_no_answer(executor: ThreadPoolExecutor) -> None:
    codec, handler = StreamCodec(frames(), executor), Handler(echo)
    async with serving(codec, handler) as address:
        with pytest.raises(StreamError, match=r"^EOF$"):
            await StreamClient(codec).ask(address, lambda: UserMessage(b"x"), 5.0)
        assert handler.taken == [UserMessage(b"x")]


async def test_a_wrong_frame_is_answered_by_an_error(executor: ThreadPoolExecutor) -> None:
    plain, encrypted = StreamCodec(frames(), executor), StreamCodec(frames(b"k" * 16), executor)
    lax = StreamClient(StreamCodec(Frames((b"k" * 16,), verify_incoming=False, verify_outgoing=True), executor))
    async with serving(plain, Handler(echo)) as address:
        with pytest.raises(
            StreamError, match="remote error: Remote state is encrypted and encryption is not configured"
        ):
            await lax.ask(address, lambda: Ping(1, ""), 5.0)
    async with serving(encrypted, Handler(echo)) as address:
        with pytest.raises(StreamError, match=r"^Remote state is encrypted"):
            await StreamClient(plain).ask(address, lambda: Ping(1, ""), 5.0)


async def test_the_errors_of_a_client(executor: ThreadPoolExecutor) -> None:
    client = StreamClient(StreamCodec(frames(), executor))
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    with pytest.raises(StreamError, match=f"^dial tcp 127.0.0.1:{port}: connect: connection refused$"):
        await client.ask(Address(LOOPBACK, port), lambda: Ping(1, ""), 5.0)
    closed.listen()  # accepts, and never answers
    with pytest.raises(StreamError, match=f"^read tcp 127.0.0.1:{port}: i/o timeout$"):
        await client.ask(Address(LOOPBACK, port), lambda: Ping(1, ""), 0.05)
    closed.close()
    codec = StreamCodec(frames(), executor)
    async with serving(codec, Handler(lambda message: ErrorMessage("no room"))) as address:
        with pytest.raises(StreamError, match=r"^remote error: no room$"):
            await client.ask(address, lambda: Ping(1, ""), 5.0)


async def test_a_stream_that_does_not_end_is_closed(
    executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(StreamCodec(frames(), executor), Handler(echo), timeout_s=0.05) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(b"\x06")
        assert await reader.read() == b""
        writer.close()
    assert "it did not end within 0.05 s" in caplog.text


async def test_the_number_of_streams_is_bounded(executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one is refused while all are young, and takes the place of the oldest one when that is slow."""
    monkeypatch.setattr(stream_server, "MAX_STREAMS", 2)
    time = [0.0]
    ping = encode_stream(Ping(1, ""), frames().present, is_answer=False)
    async with serving(StreamCodec(frames(), executor), Handler(echo), now=lambda: time[0]) as address:
        idle = [await asyncio.open_connection("127.0.0.1", address.port) for _ in range(2)]
        refused, writer = await asyncio.open_connection("127.0.0.1", address.port)
        assert await refused.read() == b""
        writer.close()
        time[0] = 10.0
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        assert await idle[0][0].read() == b""
        writer.write(ping)
        assert await reader.read() != b""
        for _, one in [*idle, (None, writer)]:
            one.close()


async def test_the_bytes_of_all_streams_are_bounded(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream_server, "MAX_BYTES", 100_000)
    handler = Handler(echo)
    async with serving(StreamCodec(frames(), executor), handler) as address:
        for size in (200_000, 50_000, 80_000):  # what was received is given back at the end of each stream
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(encode_stream(UserMessage(bytes(size)), frames().present, is_answer=False))
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()
    assert handler.taken == [UserMessage(bytes(50_000)), UserMessage(bytes(80_000))]
    assert "hold more than 100000 bytes" in caplog.text


async def test_an_error_of_the_handler_ends_its_stream_only(
    executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: StreamMessage) -> StreamMessage | None:
        raise RuntimeError("defect")

    codec = StreamCodec(frames(), executor)
    async with serving(codec, Handler(fail)) as address:
        for _ in range(2):
            with pytest.raises(StreamError, match="EOF"):
                await StreamClient(codec).ask(address, lambda: Ping(1, ""), 5.0)
    assert "a stream could not be served" in caplog.text
