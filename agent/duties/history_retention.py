"""Keeps the history of KV keys within its limits.

An engine drops changes beyond the limits with each commit; this duty does so without one, and after a reload of the limits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.engine.history.contract import Retention

PERIOD_S = 60.0

log = logging.getLogger("agent")


class HistoryRetention(TaskDuty):
    """Prunes the history once a minute.  `clock`: Unix seconds."""

    def __init__(self, engine: Engine, retention: Retention, clock: Callable[[], float]) -> None:
        self._engine, self._retention, self._clock = engine, retention, clock
        self._changed = asyncio.Event()

    def use(self, retention: Retention) -> None:
        """Apply other limits, at once when this server leads."""
        self._retention = retention
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            await self.prune()
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def prune(self) -> None:
        """Have the engine drop what is beyond the limits; errors are logged."""
        try:
            await self._engine.retain(self._retention, self._clock())
        except EngineError as error:
            log.warning("pruning the history of keys failed, retrying in %gs: %s", PERIOD_S, error)
        except Exception:
            log.exception("pruning the history of keys failed, retrying in %gs", PERIOD_S)
