"""Upkeep of the state: drops old tombstones and lock delays that have ended, and frees a state that another one replaced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv, lock_delays
from pyconsul.agent.state.store import Store

PERIOD = 60.0  # seconds
REPLACED = "state/replaced"  # a topic that nothing publishes: its listeners run on `Watches.fire_all` only

log = logging.getLogger("agent")


def start(store: Store, writer: Writer, clock: Callable[[], float], stack: AsyncExitStack) -> None:
    """Look after the state until the stack ends it."""
    for work in (_keep_house(store, writer, clock), _free_replaced(store)):
        task = asyncio.get_running_loop().create_task(work)
        stack.callback(task.cancel)


async def _free_replaced(store: Store) -> None:
    """Whenever a restore has replaced the state, free the old one: all at once would take long."""
    replaced = asyncio.Event()
    while not store.watches.closed:
        store.watches.add(replaced.set, (REPLACED,))
        await replaced.wait()
        replaced.clear()
        await in_turns(store.release_retired())


async def _keep_house(store: Store, writer: Writer, clock: Callable[[], float]) -> None:
    while True:
        await asyncio.sleep(PERIOD)
        try:
            if kv.has_old_tombstones(store, clock()):
                await writer.commit_steps(kv.forget_tombstones)
            if lock_delays.has_ended(store, clock()):
                await writer.commit(lock_delays.drop_ended)
        except EngineError as error:
            log.debug("upkeep of the state failed, retrying in %gs: %s", PERIOD, error)
        except Exception:
            log.exception("upkeep of the state failed, retrying in %gs", PERIOD)
