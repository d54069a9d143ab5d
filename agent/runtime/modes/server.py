"""Modes single server and server of a cluster: the state is in `state.db` (SQLite) until there are others, in etcd from then on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from pyconsul.agent.cluster.autopilot.autopilot import Autopilot
from pyconsul.agent.cluster.cluster import ServerCluster
from pyconsul.agent.cluster.standing import ClusterStanding
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.duties.contract import Leadership
from pyconsul.agent.engine.contract import NO_LEADER, EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL, ACCEPT_FILE, ACCEPT_NONE
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.httpapi.handlers.autopilot import initial_settings
from pyconsul.agent.runtime import server, storage
from pyconsul.agent.runtime.cluster_settings import cluster_settings
from pyconsul.agent.runtime.data import data_folder
from pyconsul.agent.runtime.network import Network
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.server import Place
from pyconsul.agent.state.schemas import ALL


async def start(
    config: Config, stack: AsyncExitStack, stop: Callable[[int], None], notifier: Notifier | None = None
) -> AgentControl:
    """Lock the data folder and start a server; see `server.start`.  Also raises DataFolderError."""
    folder = Path(config.data_dir)
    stack.callback(data_folder.Lock(folder).release)

    async def open_place(network: Network, clock: Callable[[], float]) -> Place:
        return await _open_place(config, folder, network, clock, stack)

    return await server.start(config, open_place, stack, stop, notifier)


async def _open_place(
    config: Config, folder: Path, network: Network, clock: Callable[[], float], stack: AsyncExitStack
) -> Place:
    files = data_folder.server_folder(folder)
    accept = files / ACCEPT_FILE  # by this file an operator accepts a damaged `state.db`, once
    accepted = ACCEPT_ALL if accept.exists() else ACCEPT_NONE
    retention = storage.history_retention(config)
    single = EmbeddedEngine(files / "state.db", ALL, retention, accepted=accepted)
    engine = SwitchableEngine(retention)
    own = server_of(network.lan.local)
    assert own is not None
    cluster = ServerCluster(
        files / "cluster", own, engine, single, cluster_settings(config), network.lan, network.servers, network.peers
    )
    stack.push_async_callback(cluster.stop)  # after the last write is finished
    await cluster.open()
    opened = await storage.load(engine, clock, stack)
    accept.unlink(missing_ok=True)
    standing = ClusterStanding(cluster, opened.store, opened.follower)
    autopilot = Autopilot(
        cluster.roster,
        network.lan,
        opened.store,
        opened.writer.commit,
        cluster.leadership,
        initial_settings(config),
        clock,
        config.bootstrap_expect,
    )
    cluster.host.use(lambda: autopilot.stabilization_s)
    network.hand_over_to(cluster.hand_over)
    cluster.leadership.subscribe(partial(_pass_writes_on, cluster.leadership, opened.writer))
    await cluster.start()
    stack.push_async_callback(autopilot.stop)
    await autopilot.start()
    return Place(opened, cluster.leadership, standing, autopilot, lambda: cluster.leadership.leader, _Member(cluster))


def _pass_writes_on(leadership: Leadership, writer: Writer) -> None:
    """Let the writes that wait go to the next leader: this server's etcd may not respond for long."""
    if not leadership.leads:
        writer.pass_on(EngineError(NO_LEADER))


class _Member:
    """This server as a member of its cluster; see `runtime.server.ClusterMember`."""

    def __init__(self, cluster: ServerCluster) -> None:
        self.serve, self.leave, self.hand_over = cluster.serve, cluster.leave, cluster.roster.hand_over
