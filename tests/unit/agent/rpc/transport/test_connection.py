"""The life of one connection: signs of life, limits of time, loss, an orderly end, and what is no frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.eventually import one_turn
from support.rpc_agents import echo, get
from support.rpc_pair import Gate, Pair, endless, whole

from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import Lost, NotSent
from pyconsul.agent.rpc.transport.connection import DEAD_S, PING_S, TICK_S
from pyconsul.agent.rpc.transport.frames import (
    STREAM,
    WHOLE,
    WINDOW_BYTES,
    Cancel,
    Credit,
    Frame,
    Part,
    Refusal,
    Request,
    encode,
)
from pyconsul.agent.rpc.transport.frames import (
    Response as ResponseFrame,
)

# --- signs of life


def ticks(pair: Pair, seconds: float, *, from_s: float = 0.0, late_s: float = 0.0) -> None:
    """Let time pass on both sides."""
    now = asyncio.get_running_loop().time() + from_s
    for step in range(1, int(seconds / TICK_S) + 1):
        for connection in (pair.near, pair.far):
            connection.tick(now + step * TICK_S, late_s)


async def test_a_silent_agent_is_pinged_and_lives() -> None:
    pair = Pair(echo)
    for second in range(20):
        ticks(pair, 1, from_s=second)
        await pair.settle()
    assert pair.near.is_open
    assert pair.far.is_open


async def test_an_agent_that_only_listens_gives_signs_of_life() -> None:
    sources: list[asyncio.Queue[bytes]] = []

    async def events() -> AsyncIterator[bytes]:
        sources.append(asyncio.Queue())
        while True:
            yield await sources[0].get()

    pair = Pair(lambda request, peer: Response(200, stream=events()))
    response = await pair.ask(get("/"))
    assert response.stream is not None
    for second in range(20):  # far too few bytes for a credit
        sources[0].put_nowait(b"event")
        assert await pair.result(anext(response.stream)) == b"event"
        ticks(pair, 1, from_s=second)
    assert pair.far.is_open
    assert pair.near.is_open


async def test_only_the_dialing_agent_asks_for_signs_of_life() -> None:
    pair = Pair(echo)
    ticks(pair, 2 * PING_S)
    await one_turn()
    assert pair.near_transport.written
    assert not pair.far_transport.written


async def test_an_agent_without_a_sign_of_life_is_given_up() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    task = asyncio.ensure_future(pair.near.ask(get("/")))
    await pair.settle()
    ticks(pair, DEAD_S - TICK_S)
    assert pair.near.is_open
    ticks(pair, DEAD_S, from_s=DEAD_S - TICK_S)
    assert not pair.near.is_open
    assert not pair.far.is_open
    pair.cut()
    await one_turn()
    with pytest.raises(Lost, match="no sign of life of agent s1 for 4 s"):
        task.result()
    await one_turn()
    assert gate.cancelled == [b"/"]
    assert pair.changes == ["web1", "s1", "web1", "s1"]


async def test_an_agent_that_was_held_up_itself_blames_nobody() -> None:
    pair = Pair(echo)
    now = asyncio.get_running_loop().time()
    pair.near.tick(now, 0.0)
    pair.near.tick(now + 60, 60 - TICK_S)  # the agent was stopped, or the machine
    assert pair.near.is_open
    pair.near.tick(now + 60 + DEAD_S, 0.0)
    assert not pair.near.is_open


# --- limits of time


async def test_a_response_must_come_in_time() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    bounded = asyncio.ensure_future(pair.near.ask(get("/bounded"), 60))
    unbounded = asyncio.ensure_future(pair.near.ask(get("/unbounded"), 0))
    await pair.settle()
    now = asyncio.get_running_loop().time()
    pair.near.tick(now + 59, 59)
    await pair.settle()
    assert not bounded.done()
    pair.near.tick(now + 61, 2)
    await pair.settle()
    with pytest.raises(Lost, match=r"no response of agent s1 in time \(limits.rpc_client_timeout\)"):
        bounded.result()
    assert gate.cancelled == [b"/bounded"]
    gate.open(b"/unbounded")
    await pair.settle()
    assert unbounded.result().status == 200


async def test_a_stream_may_take_any_time() -> None:
    closed = []
    pair = Pair(lambda request, peer: Response(200, stream=endless(lambda: closed.append(True))))
    response = await pair.result(pair.near.ask(get("/"), 60))
    pair.near.tick(asyncio.get_running_loop().time() + 1000, 1000)
    await pair.settle()
    assert not closed
    assert response.stream is not None
    assert await anext(response.stream)


# --- loss


async def test_requests_that_were_not_written_are_not_sent_and_others_are_lost() -> None:
    gate = Gate()
    pair = Pair(gate.serve)
    written = asyncio.ensure_future(pair.near.ask(get("/written")))
    await pair.settle()
    unwritten = asyncio.ensure_future(pair.near.ask(get("/unwritten")))
    asyncio.get_running_loop().call_soon(pair.cut)  # before the channel is flushed, in the same turn
    await one_turn()
    await one_turn()
    with pytest.raises(Lost, match="the connection to agent s1 is lost: connection reset by peer"):
        written.result()
    with pytest.raises(NotSent, match="the connection to agent s1 is lost: connection reset by peer"):
        unwritten.result()
    with pytest.raises(NotSent):
        await pair.near.ask(get("/"))
    assert list(gate.waiting) == [b"/written"]


async def test_requests_held_back_while_the_other_agent_does_not_read_are_not_sent() -> None:
    pair = Pair(Gate().serve)
    asked = [asyncio.ensure_future(pair.near.ask(get("/" + "x" * 60_000))) for _ in range(20)]
    await pair.settle(far_reads=False)
    pair.cut()
    await pair.settle()
    kinds = [type(task.exception()) for task in asked]
    assert kinds == sorted(kinds, key=[Lost, NotSent].index)
    assert set(kinds) == {Lost, NotSent}


async def test_a_lost_connection_ends_streams_and_tasks_on_both_sides() -> None:
    closed = []
    pair = Pair(lambda request, peer: Response(200, stream=endless(lambda: closed.append(True))))
    response = await pair.ask(get("/"))
    pair.cut()
    await one_turn()
    with pytest.raises(Lost, match="connection reset by peer"):
        await whole(response)
    await pair.settle()
    assert closed == [True]
    assert pair.in_flight == (0, 0)
    assert pair.near.ended.done()
    assert len(asyncio.all_tasks()) == 1


# --- the orderly end


async def test_after_a_goodbye_running_requests_are_answered_and_new_ones_refused() -> None:
    gate = Gate()
    pair = Pair(gate.serve, gate.serve)
    running = asyncio.ensure_future(pair.near.ask(get("/running")))
    running_back = asyncio.ensure_future(pair.far.ask(get("/back")))
    await pair.settle()
    pair.far.leave("agent s1 is stopping")
    crossing = asyncio.ensure_future(pair.near.ask(get("/crossing")))
    with pytest.raises(NotSent, match="the connection to agent web1 is ending"):
        await pair.far.ask(get("/"))
    await pair.settle()
    with pytest.raises(NotSent, match="agent s1: agent s1 is stopping"):
        crossing.result()
    with pytest.raises(NotSent, match="the connection to agent s1 is ending"):
        await pair.near.ask(get("/"))
    assert not pair.far_transport.is_closed
    gate.open(b"/running")
    await pair.settle()
    assert running.result().body == b"opened"
    assert not pair.far_transport.is_closed
    gate.open(b"/back")
    await pair.settle()
    assert running_back.result().body == b"opened"
    assert pair.near.ended.done() or pair.far.ended.done()


async def test_a_connection_that_both_retire_serves_what_is_on_its_way() -> None:
    pair = Pair(echo)
    crossing = [asyncio.ensure_future(pair.near.ask(get("/"))), asyncio.ensure_future(pair.far.ask(get("/")))]
    await one_turn()
    pair.near.leave()
    pair.far.leave()
    await pair.settle()
    assert [task.result().status for task in crossing] == [200, 200]
    assert pair.near.ended.done() or pair.far.ended.done()


async def test_an_idle_connection_ends_at_once() -> None:
    pair = Pair(echo)
    pair.near.leave("agent web1 is stopping")
    await pair.settle()
    assert pair.near.ended.done() or pair.far.ended.done()
    pair.cut()
    assert pair.near.ended.done()
    assert pair.far.ended.done()


# --- what is no frame


REQUEST = Request(1, "GET", b"/gate", {}, b"", WHOLE)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([REQUEST, REQUEST], "request 1 after request 1"),
        ([Request(2, "GET", b"/", {})], "a request with number 2, which this agent gives"),
        ([REQUEST, Part(1, b"x")], "a part of a body that was not announced"),
        (
            [Request(1, "PUT", b"/gate", {}, b"", STREAM), *[Part(1, bytes(65_536))] * 5],
            "more of a body than this agent has allowed",
        ),
    ],
)
async def test_a_violation_ends_the_connection(
    sent: list[Frame], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    pair = Pair(gate.serve, gate.serve)
    back = asyncio.ensure_future(pair.far.ask(get("/back")))
    await pair.settle()
    pair.far.data_received(b"".join(map(encode, sent)))
    assert not pair.far.is_open
    assert caplog.messages == [f"closed the connection to agent web1 at 10.0.0.9: {reason}"]
    pair.cut()
    await pair.settle()
    with pytest.raises(Lost, match=f"agent web1 has sent what is not a frame: {reason}"):
        back.result()
    assert pair.in_flight == (0, 0)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([ResponseFrame(2, 200, (), b"", STREAM)] * 2, "two responses to one request"),
        ([Part(2, b"x")], "a part of a body that was not announced"),
        (
            [ResponseFrame(2, 200, (), b"", STREAM), Part(2, bytes(WINDOW_BYTES + 1))],
            "more of a body than this agent has allowed",
        ),
    ],
)
async def test_a_violation_in_a_response_ends_the_connection(sent: list[Frame], reason: str) -> None:
    pair = Pair(echo)
    asked = asyncio.ensure_future(pair.far.ask(get("/")))
    await one_turn()
    await one_turn()
    pair.far.data_received(b"".join(map(encode, sent)))
    assert not pair.far.is_open
    pair.cut()
    await pair.settle()
    with pytest.raises(Lost, match=reason):
        await whole(await asked)


async def test_frames_of_requests_that_have_ended_are_ignored() -> None:
    pair = Pair(echo)
    await pair.ask(get("/"))
    for number in (1, 2, 77, 78):
        late: list[Frame] = [
            Part(number, b"x", True), Credit(number, 1), Cancel(number), Refusal(number, "x"), ResponseFrame(number, 200, ())
        ]  # fmt: skip
        pair.near.data_received(b"".join(map(encode, late)))
    assert (await pair.ask(get("/"))).status == 200


@given(st.binary(min_size=1, max_size=2000), st.booleans())
def test_garbage_ends_a_connection_and_nothing_else(data: bytes, is_framed: bool) -> None:
    async def scenario() -> None:
        pair = Pair(Gate().serve)
        asked = asyncio.ensure_future(pair.near.ask(get("/")))
        await pair.settle()
        pair.near.data_received(len(data).to_bytes(4, "big") + data if is_framed else data)
        pair.cut()
        await pair.settle()
        assert isinstance(asked.exception(), Lost)
        assert pair.in_flight == (0, 0)

    asyncio.run(scenario())


async def test_a_doubted_agent_that_stays_silent_counts_as_gone() -> None:
    pair = Pair(echo)
    pair.near.doubt("server s1 has failed or left")
    while pair.near.is_open:
        await one_turn()
    with pytest.raises(NotSent, match="server s1 has failed or left"):
        await pair.near.ask(get("/"))
