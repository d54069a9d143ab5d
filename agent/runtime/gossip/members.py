"""Let the catalog, the coordinates of its nodes and the log of user events follow the LAN pool."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack

from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.contract import Duty, Leadership
from pyconsul.agent.duties.coordinate_updates import CoordinateUpdates
from pyconsul.agent.duties.leader_duties import LeaderDuties
from pyconsul.agent.duties.reconcile.reconciler import Reconciler
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.event_receiver import EventReceiver
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.runtime.storage import Storage
from pyconsul.agent.sync.local_agent import LocalAgent
from pyconsul.agent.telemetry.pool_counters import PoolCounters

RECONNECT_TIMEOUT_S = 72 * 3600.0  # as Consul's


def follow_events(
    config: Config, lan: Membership, agent: LocalAgent, events: EventLog, stack: AsyncExitStack
) -> PoolCounters:
    """Receive user events until the stack ends; returns the counters of the pool's events."""
    counters = PoolCounters()
    stack.callback(lan.subscribe(counters.receive))
    receiver = EventReceiver(events, config.node_name, lambda: (row.service for row in agent.local.services.values()))
    stack.callback(lan.subscribe(receiver.receive))
    return counters


async def follow_members(
    config: Config, lan: Membership, storage: Storage, leadership: Leadership, stack: AsyncExitStack
) -> None:
    """Let the catalog follow the members until the stack ends; the own node is in the catalog already."""
    if config.ports.serf_lan <= 0:
        return
    store, commit = storage.store, storage.writer.commit
    duties: list[Duty] = [
        Reconciler(
            lan,
            store,
            commit,
            config.datacenter,
            config.reconnect_timeout or RECONNECT_TIMEOUT_S,
            time.monotonic,
        ),
        CoordinateUpdates(lan, store, commit),
    ]
    running = LeaderDuties(leadership, duties)
    stack.push_async_callback(running.stop)
    await running.start()
