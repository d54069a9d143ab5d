"""Bodies and streams over one connection: of any size, at the pace of their readers, and bounds for those who do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.eventually import one_turn
from support.rpc_agents import echo, get
from support.rpc_pair import Gate, Pair, broken_after, endless, whole

from pyconsul.agent.httpapi.server.contract import BodyLost, HTTPRequest, Response
from pyconsul.agent.rpc.contract import Lost, NotSent, Peer
from pyconsul.agent.rpc.transport.asking import MAX_REQUESTS
from pyconsul.agent.rpc.transport.body_flow import BodyParts
from pyconsul.agent.rpc.transport.channel import MAX_UNSENT_BYTES
from pyconsul.agent.rpc.transport.frames import INLINE_BYTES, MAX_FRAME_BYTES, PART_BYTES, WINDOW_BYTES

SIZES = sorted(
    size + more
    for size in (0, INLINE_BYTES, PART_BYTES, 2 * PART_BYTES, WINDOW_BYTES, 5 * WINDOW_BYTES)
    for more in (-1, 0, 1)
)[1:]


# --- bodies


@pytest.mark.parametrize("size", SIZES)
async def test_bodies_of_any_size(size: int) -> None:
    pair = Pair(lambda request, peer: Response(200, request.body[::-1]))
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    response = await pair.ask(get("/", body))
    assert response.stream is None
    assert response.body == body[::-1]


async def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.rpc.transport.serving.MAX_REQUEST_BYTES", 1_000_000)
    monkeypatch.setattr("pyconsul.agent.rpc.transport.asking.MAX_RESPONSE_BYTES", 1_000_000)
    served: list[bytes] = []

    def serve(request: HTTPRequest, _: Peer) -> Response:
        served.append(request.target)
        return Response(200, bytes(1_000_001) if request.target == b"/large" else b"")

    pair = Pair(serve)
    response = await pair.ask(get("/upload", bytes(1_000_001)))
    assert (response.status, response.body) == (413, b"request body too large, max size: 1000000 bytes")
    with pytest.raises(Lost, match="response of agent s1 with more than 1000000 bytes"):
        await pair.ask(get("/large"))
    assert (await pair.ask(get("/small"))).status == 200
    assert served == [b"/large", b"/small"]
    assert pair.in_flight == (0, 0)


async def test_bodies_under_way_are_limited_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.rpc.transport.serving.MAX_HELD_BYTES", 1_000_000)
    gate = Gate()
    pair = Pair(gate.serve)
    asked = [asyncio.ensure_future(pair.near.ask(get(f"/{number}", bytes(60_000)))) for number in range(15)]
    large = [asyncio.ensure_future(pair.near.ask(get(f"/large{number}", bytes(200_000)))) for number in range(3)]
    await pair.settle()
    errors = [task.exception() for task in large]
    assert [str(error) for error in errors] == ["agent s1: requests with 128 MB are under way"] * 3
    assert {type(error) for error in errors} == {NotSent}
    asked.append(asyncio.ensure_future(pair.near.ask(get("/15", bytes(60_000)))))
    await pair.settle()
    refused = asyncio.ensure_future(pair.near.ask(get("/16", bytes(60_000))))
    await pair.settle()
    assert isinstance(refused.exception(), NotSent)
    asked[0].cancel()
    for target in sorted(gate.waiting)[1:]:
        gate.open(target)
    await pair.settle()
    assert all(task.result().body == b"opened" for task in asked[1:])
    assert pair.in_flight == (0, 0)


async def test_heads_that_are_too_large_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    def serve(request: HTTPRequest, _: Peer) -> Response:
        return Response(200, b"", ((b"A", bytes(MAX_FRAME_BYTES)),))

    pair = Pair(serve)
    with pytest.raises(NotSent, match=r"request to agent s1: a frame of [0-9]+ bytes; allowed: 1048576"):
        await pair.ask(get("/" + "x" * MAX_FRAME_BYTES))
    assert (await pair.ask(get("/"))).status == 500
    assert pair.in_flight == (0, 0)


# --- streams


async def test_a_stream_that_nobody_reads_delays_no_other_request() -> None:
    def serve(request: HTTPRequest, peer: Peer) -> Response:
        return Response(200, stream=endless()) if request.target == b"/stream" else echo(request, peer)

    pair = Pair(serve)
    stream = (await pair.ask(get("/stream"))).stream
    assert stream is not None
    for number in range(100):
        assert (await pair.ask(get(f"/{number}"))).body == b"GET /%d by web1" % number
    total = 0
    while total < 3 * WINDOW_BYTES:  # all that was under way, and more once it is read
        part = await pair.result(anext(stream))
        assert 0 < len(part) <= WINDOW_BYTES
        total += len(part)


async def test_a_stream_that_its_reader_finishes_ends_after_what_has_arrived() -> None:
    pair = Pair(lambda request, peer: Response(200, stream=one_part_then_silence()))
    stream = (await pair.ask(get("/"))).stream
    assert isinstance(stream, BodyParts)
    assert await pair.result(anext(stream)) == b"one"
    waiting = asyncio.ensure_future(anext(stream, b"the end"))
    await one_turn()
    stream.finish()
    stream.finish()
    assert await waiting == b"the end"
    await pair.settle()
    assert pair.in_flight == (0, 0)


async def one_part_then_silence() -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.get_running_loop().create_future()


async def test_streams_share_a_connection_that_is_slow() -> None:
    """Each gets its turn, though both could fill the buffer alone."""
    pair = Pair(lambda request, peer: Response(200, stream=endless()))
    streams = [(await pair.ask(get("/"))).stream for _ in range(2)]
    totals = [0, 0]

    async def read(index: int) -> None:
        stream = streams[index]
        assert stream is not None
        async for part in stream:
            totals[index] += len(part)

    readers = [asyncio.ensure_future(read(index)) for index in range(2)]
    for _ in range(2000):
        pair.pass_on()
        pair.pass_back(10_000)
        await one_turn()
    assert min(totals) > 0.8 * max(totals) > 1_000_000
    for reader in readers:
        reader.cancel()
    pair.cut()
    await pair.settle()


@pytest.mark.parametrize("way", ["closed", "dropped", "cancelled"])
async def test_a_stream_that_is_given_up_ends_at_the_other_side(way: str) -> None:
    closed = []
    pair = Pair(lambda request, peer: Response(200, stream=endless(lambda: closed.append(True))))
    response = await pair.ask(get("/"))
    stream = response.stream
    assert stream is not None
    assert pair.in_flight == (1, 1)
    if way == "closed":
        await stream.aclose()  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    elif way == "dropped":
        del response, stream
    else:

        async def read(response: Response) -> None:
            await whole(response)

        task = asyncio.ensure_future(read(response))
        del response, stream
        await pair.settle(near_reads=False)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del task
    await pair.settle()
    assert closed == [True]
    assert pair.in_flight == (0, 0)


async def test_a_response_stream_that_fails_is_lost_for_its_reader(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(lambda request, peer: Response(200, stream=broken_after(b"part", ValueError("secret"))))
    response = await pair.ask(get("/v1/agent/monitor?token=secret"))
    assert response.stream is not None
    assert await pair.result(anext(response.stream)) == b"part"
    with pytest.raises(Lost, match="agent s1 has ended the request without a response"):
        await pair.result(anext(response.stream))
    assert caplog.messages == ["stream to another agent failed: to=web1 path=/v1/agent/monitor"]
    assert pair.in_flight == (0, 0)


async def test_a_request_stream_that_fails_is_lost_for_the_handler() -> None:
    seen: list[object] = []
    is_seen = asyncio.Event()

    async def serve(request: HTTPRequest) -> Response:
        assert request.stream is not None
        try:
            async for part in request.stream:
                seen.append(part)
                is_seen.set()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return Response()

    async def upload():  # type: ignore[no-untyped-def]
        yield b"part"
        await is_seen.wait()
        raise BodyLost("gone")

    pair = Pair(lambda request, peer: serve(request))
    with pytest.raises(Lost, match="the body of the request to agent s1 has ended early: gone"):
        await pair.ask(get("/", stream=upload()))
    assert pair.in_flight == (0, 0)
    assert seen == [b"part", "cancelled"]


async def test_a_response_before_the_end_of_the_body_stops_the_body() -> None:
    closed = []
    pair = Pair(lambda request, peer: Response(403, b"no"))
    response = await pair.ask(get("/", stream=endless(lambda: closed.append(True))))
    assert (response.status, response.body) == (403, b"no")
    assert pair.in_flight == (0, 0)
    await pair.settle()
    assert closed == [True]


async def test_a_slow_handler_receives_no_more_of_a_body_than_the_window() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    sent = 0

    async def upload():  # type: ignore[no-untyped-def]
        nonlocal sent
        while True:
            yield bytes(10_000)
            sent += 10_000

    task = asyncio.ensure_future(pair.near.ask(get("/", stream=upload())))
    await pair.settle()
    assert sent <= WINDOW_BYTES + 10_000
    gate.open(b"/")
    await pair.settle()
    assert task.result().body == b"opened"


# --- bounds


async def test_a_peer_that_never_reads_is_given_up() -> None:
    pair = Pair(lambda request, peer: Response(200, bytes(INLINE_BYTES)))
    asked = []
    while pair.near.is_open:
        asked.append(asyncio.ensure_future(pair.near.ask(get("/" + "x" * 500_000))))
        await one_turn()
    assert len(asked) * 500_000 > MAX_UNSENT_BYTES
    assert pair.near_transport.is_aborted
    pair.cut()
    await one_turn()
    errors = [task.exception() for task in asked]
    assert {type(error) for error in errors} == {NotSent, Lost}
    assert isinstance(errors[0], Lost)  # given to the transport
    assert "agent s1 reads nothing: 64 MB wait for it" in str(errors[-1])


async def test_responses_to_a_peer_that_does_not_read_wait_without_being_copied() -> None:
    pair = Pair(lambda request, peer: Response(200, bytes(INLINE_BYTES)))
    asked = [asyncio.ensure_future(pair.near.ask(get("/"))) for _ in range(3000)]
    await pair.settle(near_reads=False)
    assert pair.far.is_open  # 187 MB would be too much
    await pair.settle()
    assert all(task.result().body == bytes(INLINE_BYTES) for task in asked)


async def test_too_many_requests_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    monkeypatch.setattr("pyconsul.agent.rpc.transport.serving.MAX_REQUESTS", 2)
    asked = [asyncio.ensure_future(pair.near.ask(get(f"/{number}"))) for number in range(3)]
    await pair.settle()
    with pytest.raises(NotSent, match="agent s1: 2 requests of agent web1 are under way"):
        asked[2].result()
    monkeypatch.setattr("pyconsul.agent.rpc.transport.asking.MAX_REQUESTS", 2)
    with pytest.raises(NotSent, match="agent s1 has 2 requests of this agent under way"):
        await pair.near.ask(get("/"))
    assert MAX_REQUESTS >= 10_000
    for task in asked:
        task.cancel()
    await pair.settle()
    assert pair.in_flight == (0, 0)
