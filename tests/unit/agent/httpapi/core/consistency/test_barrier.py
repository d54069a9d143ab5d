"""Requests that wait for the state to be current."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.consistency import barrier as module
from pyconsul.agent.httpapi.core.consistency.barrier import Answer, Barrier
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response
from pyconsul.agent.httpapi.server.wire import text_response

LONG_S = 60.0


class Standing:
    """A server whose barriers end when the test says so."""

    always_current, knows_leader, last_contact_ms, has_state = False, True, 0, True

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[None]] = []

    def serves(self, scope: str) -> bool:
        return True

    def barrier(self) -> Awaitable[None]:
        self.begun.append(asyncio.get_running_loop().create_future())
        return self.begun[-1]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.0, 0.0))
    monkeypatch.setattr(module, "SWEEP_S", 0.001)


def made() -> tuple[Standing, Barrier]:
    standing = Standing()
    return standing, Barrier(standing, random.Random(1))


def says(text: str) -> Answer:
    return lambda error: text_response(200, text) if error is None else text_response(500, str(error))


async def turns() -> None:
    for _ in range(10):
        await one_turn()


async def body(pending: PendingResponse) -> str:
    return (await pending).body.decode()


async def test_requests_that_come_together_share_a_barrier() -> None:
    standing, barrier = made()
    pending = [barrier.enter(says(str(number)), LONG_S) for number in range(200)]
    await turns()
    assert len(standing.begun) == 1
    standing.begun[0].set_result(None)
    assert [await body(one) for one in pending] == [str(number) for number in range(200)]
    assert len(standing.begun) == 1


async def test_a_request_waits_for_a_barrier_that_begins_after_it_came() -> None:
    standing, barrier = made()
    first = barrier.enter(says("first"), LONG_S)
    await turns()
    second = barrier.enter(says("second"), LONG_S)
    await turns()
    assert len(standing.begun) == 1
    standing.begun[0].set_result(None)
    assert await body(first) == "first"
    await turns()
    assert not second.future.done()
    standing.begun[1].set_result(None)
    assert await body(second) == "second"


async def test_a_barrier_that_fails_is_repeated() -> None:
    standing, barrier = made()
    pending = barrier.enter(says("late"), LONG_S)
    await turns()
    standing.begun[0].set_exception(EngineError("No cluster leader"))
    while len(standing.begun) < 2:
        await one_turn()
    standing.begun[1].set_result(None)
    assert await body(pending) == "late"


async def test_a_request_whose_time_is_over_gets_the_last_reason_and_others_go_on_waiting() -> None:
    standing, barrier = made()
    patient = barrier.enter(says("patient"), LONG_S)
    hasty = barrier.enter(says("hasty"), 0.02)
    await turns()
    standing.begun[0].set_exception(EngineError("the engine is away"))
    assert await body(hasty) == "the engine is away"
    assert not patient.future.done()
    while standing.begun[-1].done():
        await one_turn()
    standing.begun[-1].set_result(None)
    assert await body(patient) == "patient"


async def test_a_barrier_that_hangs_does_not_keep_later_requests_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_S", 0.001)
    standing, barrier = made()
    first = barrier.enter(says("first"), LONG_S)
    await turns()
    second = barrier.enter(says("second"), LONG_S)
    while len(standing.begun) < 2:
        await one_turn()
    standing.begun[1].set_result(None)
    assert [await body(one) for one in (first, second)] == ["first", "second"]


async def test_a_response_that_cannot_be_made_affects_no_other() -> None:
    def breaks(error: EngineError | None) -> Response:
        raise ValueError("a bug")

    standing, barrier = made()
    pending = [barrier.enter(one, LONG_S) for one in (says("a"), breaks, says("b"))]
    await turns()
    standing.begun[0].set_result(None)
    assert [(await one).status for one in pending] == [200, 500, 200]


async def test_what_an_answer_waits_for_is_waited_for_and_ends_with_its_request() -> None:
    standing, barrier = made()
    inner: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in range(3)]

    async def later() -> Response:
        return await inner[2]  # type: ignore[no-any-return]

    pending = [
        barrier.enter(lambda _: inner[0], LONG_S),
        barrier.enter(lambda _: PendingResponse(inner[1], lambda future: text_response(200, future.result())), LONG_S),
        barrier.enter(lambda _: later(), LONG_S),
        barrier.enter(lambda _: asyncio.get_running_loop().create_future(), LONG_S),
    ]
    await turns()
    standing.begun[0].set_result(None)
    await turns()
    inner[0].set_result(text_response(200, "a"))
    inner[1].set_result("b")
    inner[2].set_result(text_response(200, "c"))
    assert [await body(one) for one in pending[:3]] == ["a", "b", "c"]
    pending[3].future.cancel()
    await turns()


async def test_nothing_runs_when_nobody_waits() -> None:
    standing, barrier = made()
    pending = barrier.enter(says("a"), LONG_S)
    await turns()
    pending.future.cancel()
    standing.begun[0].set_exception(EngineError("No cluster leader"))
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    await turns()
    begun = len(standing.begun)
    await turns()
    assert len(standing.begun) == begun
