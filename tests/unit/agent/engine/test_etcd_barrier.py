"""The shared linearizable read: who comes during one waits for the next, and nobody waits for a closed one."""

from __future__ import annotations

import asyncio

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.barrier import Barrier


class Reads:
    """Reads that end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[int]] = []

    async def __call__(self) -> int:
        self.begun.append(asyncio.get_running_loop().create_future())
        return await self.begun[-1]


async def begin(barrier: Barrier, count: int = 1) -> list[asyncio.Task[int]]:
    tasks = [asyncio.ensure_future(barrier.reach()) for _ in range(count)]
    for _ in range(3):
        await one_turn()
    return tasks


async def test_a_read_is_shared_by_those_that_waited_when_it_began() -> None:
    reads = Reads()
    barrier = Barrier(reads)
    first, *second = [*await begin(barrier), *await begin(barrier, 3)]
    assert len(reads.begun) == 1
    reads.begun[0].set_result(7)
    assert await first == 7
    await one_turn()
    reads.begun[1].set_result(8)
    assert await asyncio.gather(*second) == [8, 8, 8]
    assert len(reads.begun) == 2


async def test_a_failure_is_that_of_one_read_only() -> None:
    reads = Reads()
    barrier = Barrier(reads)
    first, second = [*await begin(barrier), *await begin(barrier)]
    reads.begun[0].set_exception(EngineError("lost"))
    with pytest.raises(EngineError, match="lost"):
        await first
    await one_turn()
    reads.begun[1].set_result(8)
    assert await second == 8


async def test_nobody_waits_for_a_closed_barrier() -> None:
    barrier = Barrier(Reads())
    waiting = [*await begin(barrier), *await begin(barrier)]
    barrier.close()
    waiting += await begin(barrier)
    for task in waiting:
        with pytest.raises(EngineError, match="closed"):
            await task


async def test_a_barrier_that_is_closed_before_its_read_began_leaves_nobody_waiting() -> None:
    barrier = Barrier(Reads())
    task = asyncio.ensure_future(barrier.reach())
    await one_turn()
    barrier.close()
    with pytest.raises(EngineError, match="closed"):
        await task
