"""The state of a server and the way it becomes durable, as one unit; each mode of the agent opens it in its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.config.config import Config
from pyconsul.agent.engine.contract import Engine
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state.sessions import cap_lock_delays
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.watches import on_replaced

#: The index of an empty state. Consul's is about as high once its server runs, so that `?index=1` is answered at once.
FIRST_INDEX = 10


@dataclass(frozen=True, slots=True)
class Storage:
    """The parts of a loaded state."""

    store: Store
    engine: Engine
    writer: Writer
    follower: Follower


async def load(engine: Engine, clock: Callable[[], float], stack: AsyncExitStack) -> Storage:
    """Read an engine's rows and accept writes from now on; the stack finishes writes and closes the engine.

    Raises EngineError.
    """
    loaded = await engine.load()
    stack.push_async_callback(engine.close)
    rows = cap_lock_delays(loaded.rows, clock())
    store = Store(rows, loaded.index or FIRST_INDEX, min_floor=FIRST_INDEX)
    follower = Follower(store, engine)
    follower.start()
    stack.callback(follower.stop)
    writer = Writer(store, engine, clock, follower=follower)
    stack.push_async_callback(writer.drain)
    stack.callback(asyncio.get_running_loop().create_task(_free_replaced(store)).cancel)
    return Storage(store, engine, writer, follower)


def history_retention(config: Config) -> Retention:
    """Return the limits of the history of the KV store."""
    return Retention(
        config.kv_history_versions, config.kv_history_age, config.kv_history_size, config.kv_history_exclude
    )


async def _free_replaced(store: Store) -> None:
    """Free the tables that a restore has replaced, in turns, since there may be millions of rows."""
    replaced = asyncio.Event()
    on_replaced(store.watches, replaced.set)
    while True:
        await replaced.wait()
        replaced.clear()
        await in_turns(store.release_retired())
