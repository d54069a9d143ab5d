"""Listening, with and without TLS; bodies that are handed on while they arrive; limits on connections and bodies."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.certificate import write_certificate
from support.eventually import one_turn

from pyconsul.agent.httpapi.server.body_stream import spooled
from pyconsul.agent.httpapi.server.contract import BodyLost, BodyRule, HTTPRequest, PendingResponse, Response, Wire
from pyconsul.agent.httpapi.server.limits import Budget, Limits
from pyconsul.agent.httpapi.server.server import HTTPServer, Listener
from pyconsul.agent.httpapi.server.wire import text_response


class Sizes:
    """An application that answers how long a request's body was; bodies for `/stream` come as streams."""

    new_request = HTTPRequest

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.closed = asyncio.Event()
        self.tokens: list[bytes] = []

    def body_rule(self, request: HTTPRequest) -> BodyRule:
        return BodyRule(1 << 20, stream=request.target == b"/stream")

    def too_large(self, request: HTTPRequest, rule: BodyRule, size: int) -> Response:
        return text_response(413, rule.refusal(size))

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        return None

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> None:
        return None

    def begin(self, request: HTTPRequest) -> Response | PendingResponse | Awaitable[Response]:
        self.tokens.append(request.headers.get(b"x-consul-token", b""))
        if request.target.startswith(b"/parts"):
            future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            future.set_result(Response(200, stream=_parts(breaks=request.target.endswith(b"breaks"))))
            return PendingResponse(future, lambda done: done.result())
        if request.target == b"/endless":
            return Response(200, stream=self._endless())
        return self._measure(request) if request.stream else text_response(200, str(len(request.body)))

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(10_000)
        finally:
            self.closed.set()

    async def _measure(self, request: HTTPRequest) -> Response:
        try:
            with await spooled(request) as file:
                return text_response(200, str(len(file.read())))
        except (BodyLost, asyncio.CancelledError):
            self.lost.set()
            raise

    def close(self) -> None:
        pass


async def _parts(*, breaks: bool) -> AsyncIterator[bytes]:
    yield b"first"
    if breaks:
        raise ConnectionError("the source is gone")
    yield b"second"


@asynccontextmanager
async def serving(
    limits: Limits | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, Sizes]]:
    sock = socket.create_server(("127.0.0.1", 0))
    application = Sizes()
    server = HTTPServer(application, [Listener(sock, context)], limits)
    await server.start()
    try:
        yield sock.getsockname()[1], application
    finally:
        await server.stop()


async def ask(port: int, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Everything that is answered to bytes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def settled(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(10):
        while not true():
            await one_turn()


async def test_a_body_larger_than_any_limit_comes_as_a_stream() -> None:
    size = 5 << 20
    head = b"PUT /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
    async with serving() as (port, _):
        assert (await ask(port, head + bytes(size))).endswith(b"\r\n\r\n%d" % size)
        chunks = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
        head = b"PUT /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await ask(port, head + chunks * 40 + b"0\r\n\r\n")).endswith(b"\r\n\r\n%d" % (40 << 16))


async def test_a_pending_response_may_be_a_stream() -> None:
    async with serving() as (port, _):
        answer = await ask(port, b"GET /parts HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")


async def test_a_stream_that_breaks_off_closes_the_connection_without_its_last_chunk() -> None:
    async with serving() as (port, _):
        answer = await ask(port, b"GET /parts/breaks HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n5\r\nfirst\r\n")


async def test_requests_behind_a_stream_wait_for_it() -> None:
    first = b"PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000)
    second = b"PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
    async with serving() as (port, _):
        answer = await ask(port, first + second)
        assert answer.index(b"\r\n\r\n300000") < answer.index(b"\r\n\r\n3", answer.index(b"300000") + 6)


async def test_the_reader_of_a_stream_learns_that_it_was_cut_off() -> None:
    async with serving() as (port, application):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
        await writer.drain()
        writer.close()
        await asyncio.wait_for(application.lost.wait(), 10)


async def test_a_stream_is_closed_when_its_client_goes_away(no_collections: None) -> None:
    async with serving() as (port, application):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readexactly(100_000)  # and no more: the stream waits for its client
        writer.transport.abort()
        await asyncio.wait_for(application.closed.wait(), 10)


async def test_tls(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "server.pem", ["localhost"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    client.check_hostname = False
    async with serving(context=server) as (port, _):
        answer = await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", client)
        assert answer.startswith(b"HTTP/1.1 200")


async def test_one_client_has_some_connections_at_most() -> None:
    async with serving(Limits(connections_per_client=lambda: 2)) as (port, _):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.read()).startswith(b"HTTP/1.1 429")
        for _, other in (*kept, (reader, writer)):
            other.close()


async def test_all_bodies_together_have_a_budget() -> None:
    budget = Budget(100_000)
    head = b"PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 90000\r\n\r\n"
    async with serving(Limits(bodies=budget)) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + bytes(80_000))
        await settled(lambda: budget.used == 80_000)
        refused = await ask(port, head + bytes(90_000))
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"retry later" in refused
        writer.write(bytes(10_000))
        assert (await reader.read()).endswith(b"90000")
        writer.close()
        await settled(lambda: budget.used == 0)


@pytest.mark.parametrize("token", [b"X-Consul-Token: a\r\nX-Consul-Token: b", b"X-Consul-Token: a  "])
async def test_of_two_headers_the_first_counts(token: bytes) -> None:
    async with serving() as (port, application):
        await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b\r\n\r\n" % token)
        assert application.tokens == [b"a"]
