"""Periodic upkeep of the state: drops old tombstones and lock delays that have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.state import kv, lock_delays
from pyconsul.agent.state.draft import View

PERIOD = 60.0  # seconds

log = logging.getLogger("agent")


def start(
    view: View,
    commit: Callable[[Callable[..., Any]], Awaitable[Any]],
    clock: Callable[[], float],
    stack: AsyncExitStack,
) -> None:
    """Look after the state until the stack ends it."""
    task = asyncio.get_running_loop().create_task(_keep_house(view, commit, clock))
    stack.callback(task.cancel)


async def _keep_house(
    view: View, commit: Callable[[Callable[..., Any]], Awaitable[Any]], clock: Callable[[], float]
) -> None:
    while True:
        await asyncio.sleep(PERIOD)
        try:
            if kv.has_old_tombstones(view, clock()):
                await commit(kv.forget_tombstones)
            if lock_delays.has_ended(view, clock()):
                await commit(lock_delays.drop_ended)
        except EngineError as error:
            log.debug("upkeep of the state failed, retrying in %gs: %s", PERIOD, error)
        except Exception:
            log.exception("upkeep of the state failed, retrying in %gs", PERIOD)
