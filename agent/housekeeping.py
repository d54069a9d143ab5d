"""What the state needs now and then: old tombstones are dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.state import kv
from pyconsul.agent.state.draft import View

PERIOD = 60.0  # seconds

log = logging.getLogger("agent")


def start(view: View, commit: Callable[[Callable[..., Any]], Awaitable[Any]], stack: AsyncExitStack) -> None:
    """Look after the state until the stack ends it."""
    task = asyncio.get_running_loop().create_task(_keep_house(view, commit))
    stack.callback(task.cancel)


async def _keep_house(view: View, commit: Callable[[Callable[..., Any]], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(PERIOD)
        if not kv.has_old_tombstones(view, time.time()):
            continue
        try:
            await commit(kv.forget_tombstones)
        except EngineError as error:
            log.debug("old tombstones stay for now: %s", error)
