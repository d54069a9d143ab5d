"""Drops old tombstones and ended lock delays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv, sessions
from pyconsul.agent.state.store import Store

PERIOD_S = 60.0

log = logging.getLogger("agent")


class StateUpkeep(TaskDuty):
    """Looks for such rows once a minute.  `clock`: Unix seconds."""

    def __init__(self, store: Store, writer: Writer, clock: Callable[[], float]) -> None:
        self._store, self._writer, self._clock = store, writer, clock

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            await self.drop_old_rows()

    async def drop_old_rows(self) -> None:
        """Drop rows that are due; errors are logged."""
        try:
            if kv.has_old_tombstones(self._store, self._clock()):
                await self._writer.commit_steps(kv.forget_tombstones)
            if sessions.has_expired_lock_delays(self._store, self._clock()):
                await self._writer.commit(sessions.drop_expired_lock_delays)
        except EngineError as error:
            log.debug("dropping old tombstones failed, retrying in %gs: %s", PERIOD_S, error)
        except Exception:
            log.exception("dropping old tombstones failed, retrying in %gs", PERIOD_S)
