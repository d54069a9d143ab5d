"""The duty of the leader that keeps the history of keys within its limits."""

from __future__ import annotations

import asyncio

import pytest
from support.eventually import one_turn

from pyconsul.agent.duties.history_retention import HistoryRetention
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.memory import MemoryEngine

LIMITS, OTHERS = Retention(20, 100.0, 1000), Retention(5, 100.0, 1000)
NOW = 50.0


class Engine(MemoryEngine):
    """Notes the limits that it is given."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.retained: list[tuple[Retention, float]] = []
        self.errors = list(errors)
        self.called = asyncio.Event()

    async def retain(self, retention: Retention, now: float) -> None:
        self.called.set()
        if self.errors:
            raise self.errors.pop()
        self.retained.append((retention, now))

    async def next(self) -> tuple[Retention, float]:
        """Return the next limits."""
        await asyncio.wait_for(self.called.wait(), 30)
        self.called.clear()
        return self.retained[-1]


async def test_limits_hold_from_the_start_and_after_a_reload() -> None:
    engine = Engine()
    duty = HistoryRetention(engine, LIMITS, lambda: NOW)
    await duty.start()
    assert await engine.next() == (LIMITS, NOW)
    duty.use(OTHERS)
    assert await engine.next() == (OTHERS, NOW)
    await duty.stop()
    duty.use(LIMITS)
    await one_turn()
    assert engine.retained[-1] == (OTHERS, NOW), "a server that does not lead prunes nothing"
    await duty.start()
    assert await engine.next() == (LIMITS, NOW)
    await duty.stop()


async def test_a_failure_is_logged_and_does_not_end_the_duty(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine(ZeroDivisionError(), EngineError("the disk is full"))
    duty = HistoryRetention(engine, LIMITS, lambda: NOW)
    for _ in range(3):
        await duty.prune()
    assert engine.retained == [(LIMITS, NOW)]
    levels = [record.levelname for record in caplog.records if "pruning the history of keys failed" in record.message]
    assert levels == ["WARNING", "ERROR"]
