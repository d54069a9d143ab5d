"""Requests over one connection: responses in any order, failures that harm nobody else, cancellation, bodies of any size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.eventually import one_turn
from support.rpc_agents import echo, get
from support.rpc_pair import Gate, Pair, parts_of, whole

from pyconsul.agent.httpapi.server.contract import HTTPRequest, PendingResponse, Response
from pyconsul.agent.rpc.contract import Lost, NotSent, Peer
from pyconsul.agent.rpc.transport.frames import INLINE_BYTES


async def test_what_a_server_sees_of_a_request() -> None:
    seen = []

    def serve(request: HTTPRequest, peer: Peer) -> Response:
        seen.append((request, peer))
        return Response(204, b"", ((b"A", b"1"), (b"A", b"2")))

    pair = Pair(serve)
    response = await pair.ask(HTTPRequest("PUT", b"/v1/kv/a?cas=3", {b"x-consul-token": b"t"}, b"body", "10.0.0.1"))
    assert (response.status, response.body, response.headers) == (204, b"", ((b"A", b"1"), (b"A", b"2")))
    request, peer = seen[0]
    assert (request.method, request.target, request.body) == ("PUT", b"/v1/kv/a?cas=3", b"body")
    assert (request.path, request.params, request.token) == ("/v1/kv/a", {"cas": "3"}, "t")
    assert (request.origin, request.remote, peer.name) == ("web1", "10.0.0.9", "web1")


async def test_requests_pass_in_both_directions_and_are_answered_in_any_order() -> None:
    gate, back = Gate(), Gate()
    pair = Pair(gate.serve, back.serve)
    asked = [asyncio.ensure_future(pair.near.ask(get(f"/{number}"))) for number in range(20)]
    asked_back = [asyncio.ensure_future(pair.far.ask(get(f"/{number}"))) for number in range(20)]
    await pair.settle()
    assert pair.in_flight == (40, 40)
    for number in reversed(range(20)):
        gate.open(b"/%d" % number, b"response %d" % number)
        back.open(b"/%d" % number, b"response back %d" % number)
        await pair.settle()
        assert asked[number].result().body == b"response %d" % number
        assert asked_back[number].result().body == b"response back %d" % number
    assert pair.in_flight == (0, 0)


async def test_ten_thousand_requests_are_under_way() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    asked = [asyncio.ensure_future(pair.near.ask(get(f"/{number}"))) for number in range(10_000)]
    await pair.settle()
    assert pair.in_flight == (10_000, 10_000)
    for target in sorted(gate.waiting):
        gate.open(target, target)
    await pair.settle()
    assert [task.result().body for task in asked] == [b"/%d" % number for number in range(10_000)]
    assert pair.in_flight == (0, 0)


async def test_a_response_that_is_there_at_once_needs_no_task() -> None:
    pair = Pair(lambda request, peer: Response(200, b"%d" % len(asyncio.all_tasks())))
    before = len(asyncio.all_tasks())
    assert int((await pair.ask(get("/"))).body) == before + 1  # the one that asks


async def test_a_pending_response_needs_no_task() -> None:
    futures: list[asyncio.Future[bytes]] = []

    def serve(_: HTTPRequest, __: Peer) -> Awaitable[Response]:
        futures.append(asyncio.get_running_loop().create_future())
        return PendingResponse(futures[-1], lambda future: Response(200, future.result()))

    pair = Pair(serve)
    tasks = len(asyncio.all_tasks())
    asked = [asyncio.ensure_future(pair.near.ask(get("/"))) for _ in range(4)]
    await pair.settle()
    assert len(asyncio.all_tasks()) == tasks + 4
    futures[0].set_result(b"small")
    futures[1].set_result(b"large" * INLINE_BYTES)
    futures[2].cancel()
    asked[3].cancel()
    await pair.settle()
    assert (asked[0].result().body, asked[1].result().body) == (b"small", b"large" * INLINE_BYTES)
    with pytest.raises(Lost, match="agent s1 has ended the request without a response"):
        asked[2].result()
    assert futures[3].cancelled()
    assert pair.in_flight == (0, 0)


def _raise(error: Exception) -> Response:
    raise error


async def _raise_later(error: Exception) -> Response:
    await one_turn()
    raise error


@pytest.mark.parametrize(
    "fail",
    [
        _raise,
        _raise_later,
        lambda error: PendingResponse(_failed(error), lambda future: future.result()),  # type: ignore[no-any-return]
    ],
    ids=["at once", "later", "pending"],
)
async def test_what_serve_raises_harms_no_other_request(fail, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    gate = Gate()

    def serve(request: HTTPRequest, peer: Peer) -> Response | Awaitable[Response]:
        if request.target == b"/bad":
            return fail(ValueError("secret"))  # type: ignore[no-any-return]
        return fail(NotSent("this server does not lead")) if request.target == b"/lead" else gate.serve(request, peer)

    pair = Pair(serve)
    other = asyncio.ensure_future(pair.near.ask(get("/good")))
    response = await pair.ask(get("/bad"))
    assert (response.status, response.body) == (500, b"internal error; the agent's log says more")
    assert "request of another agent failed: from=web1 method=GET" in caplog.messages
    with pytest.raises(NotSent, match=r"^agent s1: this server does not lead$"):
        await pair.ask(get("/lead"))
    gate.open(b"/good")
    await pair.settle()
    assert other.result().body == b"opened"


def _failed(error: Exception) -> asyncio.Future[Response]:
    future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


@pytest.mark.parametrize(
    "wrong",
    [None, Response(200, b"", ((b"A", object()),)), Response(200, stream=3)],  # type: ignore[arg-type]
)
async def test_what_is_no_response_harms_no_other(wrong: Response) -> None:
    pair = Pair(lambda request, peer: wrong if request.target == b"/bad" else echo(request, peer))
    if wrong is None or wrong.stream is None:
        assert (await pair.ask(get("/bad"))).status == 500
    else:
        response = await pair.ask(get("/bad"))
        with pytest.raises(Lost):
            await pair.result(whole(response))
    assert (await pair.ask(get("/"))).status == 200
    assert pair.in_flight == (0, 0)


# --- cancellation


async def test_a_cancelled_request_ends_at_the_other_side() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    task = asyncio.ensure_future(pair.near.ask(get("/slow")))
    await pair.settle()
    task.cancel()
    await pair.settle()
    assert gate.cancelled == [b"/slow"]
    assert task.cancelled()
    assert pair.in_flight == (0, 0)


async def test_a_request_that_the_other_side_cancels_itself_is_lost() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    task = asyncio.ensure_future(pair.near.ask(get("/slow")))
    await pair.settle()
    gate.waiting[b"/slow"].cancel()
    await pair.settle()
    with pytest.raises(Lost):
        task.result()


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 50_000), st.booleans(), st.booleans())
def test_a_request_may_be_cancelled_at_every_point(turns: int, size: int, is_streamed: bool, is_cut: bool) -> None:
    """With bodies in both directions, after any number of steps; the connection may be cut instead."""

    async def serve(request: HTTPRequest, _: Peer) -> Response:
        body = request.body if request.stream is None else b"".join([part async for part in request.stream])
        return Response(200, stream=parts_of(body, body)) if is_streamed else Response(200, body * 2)

    async def ask(pair: Pair) -> bytes:
        stream = parts_of(b"x" * 100_000, b"y" * 300_000) if is_streamed else None
        return await whole(await pair.near.ask(get("/", b"" if is_streamed else b"z" * 400_000, stream)))

    async def scenario() -> None:
        pair = Pair(serve)
        task = asyncio.ensure_future(ask(pair))
        for _ in range(turns):
            pair.pass_on(size)
            pair.pass_back(size)
            await one_turn()
        if is_cut:
            pair.cut()
        else:
            task.cancel()
        await pair.settle()
        assert task.done()
        if not task.cancelled() and (error := task.exception()):
            assert isinstance(error, NotSent | Lost)
        assert pair.in_flight == (0, 0)
        assert len(asyncio.all_tasks()) == 1
        if not is_cut:
            assert (await whole(await pair.ask(get("/")))) == b""  # the connection goes on

    asyncio.run(scenario())


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 100_000), st.integers(0, 200_000)), max_size=30), st.booleans()
)
def test_what_was_not_sent_was_not_served_and_never_will_be(
    steps: list[tuple[int, int, int]], is_orderly: bool
) -> None:
    """Writes may be sent again after NotSent.  Each step asks some requests with a body, and passes some bytes."""
    served: list[bytes] = []

    def serve(request: HTTPRequest, _: Peer) -> Response:
        served.append(request.target)
        return Response(200, b"y" * len(request.body))

    async def scenario() -> None:
        pair, asked = Pair(serve), []
        for count, size, body in steps:
            for _ in range(count):
                asked.append(asyncio.ensure_future(pair.near.ask(get(f"/{len(asked)}", bytes(body)))))
            await one_turn()
            pair.pass_on(size)
            pair.pass_back(size)
        if is_orderly:
            pair.far.leave("agent s1 is stopping")
            await pair.settle()
        pair.cut()
        await pair.settle()
        for number, task in enumerate(asked):
            error = task.exception()
            assert served.count(b"/%d" % number) == (error is None) or isinstance(error, Lost)
            assert not is_orderly or not isinstance(error, Lost)

    asyncio.run(scenario())
