"""The shared barrier of reads: a request that comes during one waits for the next, and none waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine import barrier as module
from pyconsul.agent.engine.barrier import MAX_RUNNING, ReadBarrier
from pyconsul.agent.engine.contract import EngineError


class Server:
    """An engine, a store and a follower in one; its barriers end when the test says so."""

    index = 0

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[int]] = []
        self.wanted: list[int] = []

    async def barrier(self) -> int:
        self.begun.append(asyncio.get_running_loop().create_future())
        return await self.begun[-1]

    async def reach(self, index: int, timeout_s: float) -> None:
        self.wanted.append(index)

    def shared(self) -> ReadBarrier:
        parts = cast(Any, self)
        return ReadBarrier(parts, parts, parts)


async def turns() -> None:
    for _ in range(12):
        await one_turn()


async def test_all_that_come_before_a_barrier_begins_share_it() -> None:
    server = Server()
    barrier = server.shared()
    waiting = [barrier.reach() for _ in range(200)]
    await turns()
    (begun,) = server.begun
    begun.set_result(7)
    await asyncio.gather(*waiting)
    assert (len(server.begun), server.wanted) == (1, [7])


async def test_one_that_comes_later_waits_for_a_barrier_that_begins_after_it() -> None:
    server = Server()
    barrier = server.shared()
    first = barrier.reach()
    await turns()
    second = barrier.reach()
    await turns()
    server.begun[0].set_result(0)
    await first
    await turns()
    assert not second.done()
    server.begun[1].set_result(0)
    await second
    assert not server.wanted  # the store has the index


async def test_a_barrier_covers_those_of_earlier_ones() -> None:
    server = Server()
    barrier = server.shared()
    first = barrier.reach()
    await turns()
    second = barrier.reach()
    await turns()
    server.begun[1].set_result(0)
    await asyncio.gather(first, second)


async def test_few_barriers_run_at_a_time() -> None:
    server = Server()
    barrier = server.shared()
    waiting = []
    for _ in range(MAX_RUNNING + 3):
        waiting.append(barrier.reach())
        await turns()
    assert len(server.begun) == MAX_RUNNING
    server.begun[0].set_result(0)
    await turns()
    assert len(server.begun) == MAX_RUNNING + 1
    server.begun[-1].set_result(0)
    await asyncio.gather(*waiting)


async def test_a_failure_is_that_of_one_barrier_only() -> None:
    server = Server()
    barrier = server.shared()
    first = barrier.reach()
    await turns()
    second = barrier.reach()
    await turns()
    server.begun[0].set_exception(EngineError("etcd has no leader"))
    with pytest.raises(EngineError, match="No cluster leader"):
        await first
    server.begun[1].set_result(0)
    await second


async def test_barriers_that_hang_do_not_keep_later_requests_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_S", 0.001)
    server = Server()
    barrier = server.shared()
    waiting = []
    for _ in range(MAX_RUNNING + 1):
        waiting.append(barrier.reach())
        await turns()
    while len(server.begun) <= MAX_RUNNING:
        await one_turn()
    server.begun[-1].set_result(0)
    await asyncio.gather(*waiting)


async def test_one_that_fails_or_goes_away_affects_no_other() -> None:
    server = Server()
    barrier = server.shared()

    def breaks(error: EngineError | None) -> None:
        raise ValueError("a bug")

    barrier.enter(breaks)
    gone, waiting = barrier.reach(), barrier.reach()
    await turns()
    gone.cancel()
    server.begun[0].set_result(0)
    await waiting


async def test_a_bug_in_the_engine_is_a_failure_of_the_barrier() -> None:
    server = Server()
    barrier = server.shared()
    waiting = barrier.reach()
    await turns()
    server.begun[0].set_exception(ValueError("a bug"))
    with pytest.raises(EngineError, match="No cluster leader"):
        await waiting
