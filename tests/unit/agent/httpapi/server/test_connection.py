"""The bytes of a connection: however they are cut, and whatever they are, they mean the same and harm nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from support.eventually import one_turn
from support.fake_transport import FakeTransport

from pyconsul.agent.httpapi.server.contract import BodyRule, HTTPRequest, Response, Wire
from pyconsul.agent.httpapi.server.server import HTTPServer
from pyconsul.agent.httpapi.server.wire import text_response


class Echo:
    """An application that answers what it was asked: at once, or for a path with `later` when it is its turn."""

    new_request = HTTPRequest

    def body_rule(self, request: HTTPRequest) -> BodyRule:
        return BodyRule(1 << 20)

    def too_large(self, request: HTTPRequest, rule: BodyRule, size: int) -> Response:
        return text_response(413, rule.refusal(size))

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        return None

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> None:
        return None

    def begin(self, request: HTTPRequest) -> Response | Awaitable[Response]:
        body = b"%b %b %b" % (request.method.encode(), request.target, request.body)
        response = Response(200, body, ((b"Content-Length", b"%d" % len(body)),))
        return self._later(response) if b"later" in request.target else response

    async def _later(self, response: Response) -> Response:
        await one_turn()
        return response

    def close(self) -> None:
        pass


PATIENCE = 100  # turns of the loop in which everything must have been answered


def feed(parts: Iterable[bytes]) -> tuple[bytes, bool]:
    """What a connection answers to bytes that come in these parts, and whether it was closed."""

    async def talk() -> tuple[bytes, bool]:
        server = HTTPServer(Echo(), ())
        server.date = b"Date: D\r\n"
        wire = FakeTransport()
        protocol = server.connect()
        protocol.connection_made(wire)
        for part in parts:
            if wire.closed:
                break
            protocol.data_received(part)
            await one_turn()
        for _ in range(PATIENCE):
            await one_turn()
        assert not server.tasks
        found = bytes(wire.sent), wire.closed
        protocol.connection_lost(None)
        return found

    return asyncio.run(talk())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(bounds) if start < end]


def chunks(body: bytes) -> bytes:
    return b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX-Trailer: t\r\n\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a request, and what its answer must be."""
    method = draw(st.sampled_from([b"GET", b"PUT", b"DELETE"]))
    target = draw(st.sampled_from([b"/v1/kv/a", b"/later", b"/v1/later?x=1"]))
    body = draw(st.binary(max_size=12)) if method == b"PUT" else b""
    head = b"%b %b HTTP/1.1\r\nHost: x\r\n" % (method, target)
    if draw(st.booleans()):
        head += b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    if method == b"PUT" and draw(st.booleans()):
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body)
    else:
        sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    said = b"%b %b %b" % (method, target, body)
    return sent, b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)


@given(st.lists(requests(), min_size=1, max_size=6), st.lists(st.integers(0, 2000), max_size=12))
@settings(max_examples=150, deadline=None)
def test_requests_cut_anywhere_are_answered_in_order(asked: list[tuple[bytes, bytes]], places: list[int]) -> None:
    data = b"".join(sent for sent, _ in asked)
    assert feed(cut(data, places)) == (b"".join(answer for _, answer in asked), False)


@given(st.lists(st.one_of(st.binary(max_size=60), requests().map(lambda one: one[0])), max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise(parts: list[bytes]) -> None:
    said, closed = feed(parts)
    assert not said or said.startswith(b"HTTP/1.1 ")
    if b"HTTP/1.1 400" in said:
        assert closed


def test_a_byte_at_a_time() -> None:
    sent = b"PUT /later HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\nabc"
    said, closed = feed(bytes([byte]) for byte in sent * 2)
    assert said.count(b"PUT /later abc") == 2
    assert not closed
