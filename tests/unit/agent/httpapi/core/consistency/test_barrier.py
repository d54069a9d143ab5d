"""Requests that wait for the state to be current."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError, Passed
from pyconsul.agent.httpapi.core.consistency import barrier as module
from pyconsul.agent.httpapi.core.consistency.barrier import Answer, Barrier
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response
from pyconsul.agent.httpapi.server.wire import text_response

LONG_S = 60.0


class Standing:
    """A server whose barriers end when the test says so."""

    always_current, knows_leader, last_contact_ms, has_state = False, True, 0, True

    def __init__(self) -> None:
        self.waiting: list[Passed] = []
        self.entered = 0

    def serves(self, scope: str) -> bool:
        return True

    def barrier(self) -> None:
        return None

    def after_barrier(self, passed: Passed) -> None:
        self.entered += 1
        self.waiting.append(passed)

    def end(self, error: EngineError | None = None) -> None:
        """End the barriers of all that wait."""
        waiting, self.waiting = self.waiting, []
        for passed in waiting:
            passed(error)

    async def next_end(self) -> None:
        """Let the next barrier pass, as soon as one is waited for."""
        while not self.waiting:
            await one_turn()
        self.end()


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


async def test_each_request_is_answered_when_its_barrier_has_passed() -> None:
    standing, barrier = made()
    first, second = [barrier.enter(says(text), LONG_S) for text in ("first", "second")]
    standing.waiting.pop()(None)
    assert await body(second) == "second"
    assert not first.future.done()
    standing.end()
    assert await body(first) == "first"


async def test_a_barrier_that_fails_is_repeated() -> None:
    standing, barrier = made()
    pending = barrier.enter(says("late"), LONG_S)
    standing.end(EngineError("No cluster leader"))
    await standing.next_end()
    assert await body(pending) == "late"


async def test_a_request_whose_time_is_over_gets_the_last_reason_and_others_go_on_waiting() -> None:
    standing, barrier = made()
    patient = barrier.enter(says("patient"), LONG_S)
    hasty = barrier.enter(says("hasty"), 0.02)
    standing.end(EngineError("the engine is away"))
    assert await body(hasty) == "the engine is away"
    assert not patient.future.done()
    await standing.next_end()
    assert await body(patient) == "patient"


async def test_a_response_that_cannot_be_made_affects_no_other() -> None:
    def breaks(error: EngineError | None) -> Response:
        raise ValueError("a bug")

    standing, barrier = made()
    pending = [barrier.enter(one, LONG_S) for one in (says("a"), breaks, says("b"))]
    standing.end()
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
    standing.end()
    await turns()
    inner[0].set_result(text_response(200, "a"))
    inner[1].set_result("b")
    inner[2].set_result(text_response(200, "c"))
    assert [await body(one) for one in pending[:3]] == ["a", "b", "c"]
    pending[3].future.cancel()
    await turns()


async def test_no_barrier_begins_for_a_request_whose_client_has_gone() -> None:
    standing, barrier = made()
    pending = barrier.enter(says("a"), LONG_S)
    standing.end(EngineError("No cluster leader"))
    pending.future.cancel()
    await turns()
    assert standing.entered == 1


async def test_a_request_for_a_kept_response_is_answered_once_or_not_at_all() -> None:
    standing, barrier = made()
    heard: list[EngineError | None] = []
    barrier.enter_kept(heard.append, LONG_S)
    gone = barrier.enter_kept(heard.append, LONG_S)
    gone.cancel()
    standing.end()
    assert heard == [None]
    barrier.close()
    assert heard == [None]


async def test_a_request_for_a_kept_response_ends_with_its_time_or_with_the_agent() -> None:
    standing, barrier = made()
    heard: list[EngineError | None] = []
    hasty = asyncio.Event()
    barrier.enter_kept(heard.append, LONG_S)
    barrier.enter_kept(lambda error: hasty.set(), 0.0)
    await hasty.wait()
    assert heard == []
    barrier.close()
    standing.end()
    assert [str(error) for error in heard] == ["No cluster leader"]
