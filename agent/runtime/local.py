"""Starts the local half of the agent: service and check registry, check scheduler, anti-entropy."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pyconsul.agent.config.config import Config
from pyconsul.agent.health.runners.scheduler import CheckScheduler
from pyconsul.agent.runtime.data import local_registrations
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync import definition_loader
from pyconsul.agent.sync.alias_views import AliasViews
from pyconsul.agent.sync.anti_entropy.blocked import Permits
from pyconsul.agent.sync.anti_entropy.contract import Catalog
from pyconsul.agent.sync.anti_entropy.first_contact import FirstContact
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.check_results import CheckResults
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import LocalStore
from pyconsul.agent.sync.node_registration import node_registration
from pyconsul.agent.sync.reap import reap


async def start(
    config: Config,
    catalog: Catalog,
    view: View | None,
    watches: Watches,
    stack: AsyncExitStack,
    permits: Permits | None = None,
    reads: Permits | None = None,
    *,
    waits: bool = True,
) -> LocalAgent:
    """Start the local half.  The stack stops it.

    view: the catalog's rows, for authorizing registrations; None: the servers do that.
    watches: notifies readers of the local state.
    permits, reads: authorize tokens to write and to read.   waits: on return the catalog shows everything, as far as tokens permit;
        otherwise it does as soon as there is a server.

    Raises FileDefinitionError, EngineError.
    """
    defined = definition_loader.definitions(config)
    rng = random.Random()
    stored, local_store = await _local_store(config, stack)
    stack.push_async_callback(local_store.stop)
    local, registration = LocalState(watches), node_registration(config)
    first_contact = FirstContact(catalog, local)
    syncer = Syncer(local, registration, first_contact, rng, permits=permits)
    stack.push_async_callback(syncer.stop)
    results = CheckResults(
        local,
        syncer,
        time.time,
        output_delay_s=config.check_update_interval,
        discard_output=config.discard_check_output,
    )
    scheduler = CheckScheduler(
        results.notify,
        rng,
        record=results.record,
        alias_views=AliasViews(local, catalog, reads),
        output_max_size=config.check_output_max_size,
    )
    stack.push_async_callback(scheduler.stop)
    agent = LocalAgent(config.node_name, local, syncer, local_store, scheduler, results, time.time, view)
    first_contact.subscribe(agent.adopt)
    await _load(agent, first_contact, config, defined, stored, waits)
    _run(reap(agent, time.time), stack)
    return agent


async def _load(
    agent: LocalAgent,
    contact: FirstContact,
    config: Config,
    defined: definition_loader.Definitions,
    stored: list[tuple[str, Any]],
    waits: bool,
) -> None:
    """Fill the local state, and let the catalog follow it from now on."""
    syncer = agent.syncer
    if waits:
        await syncer.flush()
    else:
        syncer.hold()
    remote_scripts = config.enable_script_checks
    await definition_loader.load(
        agent, defined, stored, time.time(), remote_scripts=remote_scripts, last_seen=contact.shown
    )
    if waits:
        await syncer.full_sync()
    else:
        syncer.release()
    syncer.start()


async def _local_store(config: Config, stack: AsyncExitStack) -> tuple[list[tuple[str, Any]], LocalStore]:
    """Return the rows stored by the last run, and the store for new ones."""
    if config.dev_mode or not config.data_dir:
        return [], LocalStore(None)
    return await local_registrations.open_store(Path(config.data_dir), stack)


def _run(work: Coroutine[None, None, None], stack: AsyncExitStack) -> None:
    task = asyncio.get_running_loop().create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
