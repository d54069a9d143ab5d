"""Builds and starts the agent's own part: the services and checks it holds, what runs them, and what tells the catalog."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from pyconsul.agent.config.config import Config
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import EVERYTHING
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.health.runners.scheduler import CheckScheduler
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync import definition_loader as loading
from pyconsul.agent.sync.blocked import Permits
from pyconsul.agent.sync.local_agent import AliasView, LocalAgent, Notify
from pyconsul.agent.sync.local_rows import ALL
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import LocalStore
from pyconsul.agent.sync.node_registration import node_registration
from pyconsul.agent.sync.reap import reap
from pyconsul.agent.sync.syncer import Syncer


async def start(
    config: Config,
    catalog: Store,
    writer: Writer,
    stack: AsyncExitStack,
    permits: Permits | None = None,
    reads: Permits | None = None,
) -> LocalAgent:
    """The running local part; the catalog shows it when this returns, as far as tokens permit.  The stack stops it.

    permits: authorization to write.   reads: to read.

    Raises FileDefinitionError, EngineError.
    """
    defined = loading.definitions(config)
    rng = random.Random()
    kept, local_store = _local_store(config, stack)
    stack.push_async_callback(local_store.stop)
    local = LocalState(catalog.watches)
    syncer = Syncer(local, node_registration(config), catalog, writer.commit, rng)
    syncer.permits = permits
    stack.push_async_callback(syncer.stop)

    def scheduler(notify: Notify, view: AliasView) -> CheckScheduler:
        made = CheckScheduler(notify, rng, alias_view=view, output_max_size=config.check_output_max_size)
        stack.push_async_callback(made.stop)
        return made

    agent = LocalAgent(
        config.node_name,
        local,
        syncer,
        local_store,
        catalog,
        scheduler,
        time.time,
        patience=config.check_update_interval,
        discard_output=config.discard_check_output,
        reads=reads,
    )
    await syncer.flush()
    await loading.load(agent, defined, kept, time.time(), remote_scripts=config.enable_script_checks)
    await syncer.compare()
    syncer.start()
    _run(reap(agent, time.time), stack)
    return agent


def _local_store(config: Config, stack: AsyncExitStack) -> tuple[list[tuple[str, object]], LocalStore]:
    """What was kept from the last run, and what keeps from now on."""
    if config.dev_mode or not config.data_dir:
        return [], LocalStore(None)
    engine = EmbeddedEngine(Path(config.data_dir) / "local.db", ALL, spare=EVERYTHING)  # it is registered again
    loaded = engine.load()
    stack.push_async_callback(engine.close)
    rows = list(loaded.rows)
    writer = Writer(Store(rows, loaded.index, ALL, named=loaded.named, floor=loaded.floor), engine)
    stack.push_async_callback(writer.drain)

    async def commit(operation: Callable[[WriteTxn], None]) -> None:
        await writer.commit(operation)

    return rows, LocalStore(commit)


def _run(work: Coroutine[None, None, None], stack: AsyncExitStack) -> None:
    task = asyncio.get_running_loop().create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
