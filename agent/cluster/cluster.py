"""A server among the servers of its datacenter: founds a cluster with the others, is added to one, or grows into one.

| phase | state | leadership |
| --- | --- | --- |
| alone | `state.db` | leads |
| waiting | none: founding, or waiting to be added | none |
| in a cluster | etcd | competes |

The runtime uses it in this order, after gossip and RPC are open:

    engine = SwitchableEngine(history_retention(config))
    cluster = ServerCluster(folder, own, engine, EmbeddedEngine(state_db, ALL, …), settings, lan, servers, peers)
    await cluster.open()                                    # chooses the engine; raises EngineError
    storage = await storage.load(engine, clock, stack)      # empty in the phases without `state.db`
    standing = ClusterStanding(cluster, storage.store, storage.follower)
    await cluster.start()                                   # from now on the phase may change
    …  cluster.leadership, cluster.roster (for Autopilot), cluster.serve, cluster.hand_over
    await cluster.leave()                                   # only when the server leaves for good
    await cluster.stop()                                    # before gossip and RPC are closed
"""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.colleagues import Colleagues
from pyconsul.agent.cluster.etcd.member import find_program
from pyconsul.agent.cluster.founding import founder
from pyconsul.agent.cluster.founding.founder import Founder
from pyconsul.agent.cluster.joining.guest import Guest
from pyconsul.agent.cluster.joining.host import Host
from pyconsul.agent.cluster.leading.leader_search import LeaderSearch
from pyconsul.agent.cluster.leading.leader_watch import LeaderWatch
from pyconsul.agent.cluster.leading.phased import Alone, PhasedLeadership
from pyconsul.agent.cluster.messages import ServerState
from pyconsul.agent.cluster.opening import begins_alone
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.cluster.recovery import Recovery
from pyconsul.agent.cluster.relay_table import RelayTable
from pyconsul.agent.cluster.requests import Requests
from pyconsul.agent.cluster.roster import Roster
from pyconsul.agent.cluster.settings import FRESH_S, ClusterSettings
from pyconsul.agent.cluster.upkeep import Upkeep
from pyconsul.agent.duties.leader_duties import LeaderDuties
from pyconsul.agent.engine.contract import EngineError, MovableEngine
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer, Peers, Servers

if TYPE_CHECKING:
    from pyconsul.agent.cluster.etcd.local import LocalEtcd
    from pyconsul.agent.cluster.etcd.remote import RemoteEtcd
    from pyconsul.agent.cluster.etcd_phase import EtcdPhase

log = logging.getLogger("agent.cluster")


class ServerCluster:
    """The cluster of this server, in all phases."""

    def __init__(
        self,
        folder: Path,
        own: Server,
        engine: SwitchableEngine,
        single: MovableEngine,
        settings: ClusterSettings,
        pool: Membership,
        servers: Servers,
        peers: Peers,
    ) -> None:
        """folder: `cluster` in the data dir.  single: the engine of a server that is alone, not loaded yet.

        Raises EngineError.
        """
        self.own, self.engine, self.settings = own, engine, settings
        self.leadership = PhasedLeadership()
        self._folder, self._single, self._servers = folder, single, servers
        self._file = RecordFile(folder)
        self._phase: EtcdPhase | None = None
        self._is_alone = self._is_leaving = False
        self._colleagues = Colleagues(peers)
        self._founder = Founder(own, settings.expect, self._file, servers.all, self._colleagues, find_program)
        self._relay = RelayTable(own, pool, servers)
        self.roster = Roster(self, self._file, pool, self._colleagues)
        self._upkeep = Upkeep(self, self._colleagues)
        self._guest = Guest(self, self._file, folder)
        names = self.roster.names
        self.recovery = Recovery(self, self._file, folder, servers.all, names, self._colleagues, self._guest)
        self._requests = Requests(self, self._founder, self._guest, self.recovery)
        self.host = Host(self, servers, self._colleagues)
        self._duties = LeaderDuties(self.leadership, [self.host])
        self._watch = LeaderWatch(own.node_id, self._colleagues, lambda: self._phase)
        self._search = LeaderSearch(own.node_id, self.leadership, servers, self._colleagues)
        self._running: asyncio.Task[None] | None = None

    # --- what the other parts ask

    @property
    def phase(self) -> EtcdPhase | None:
        """The etcd of this server, while it is in a cluster."""
        return self._phase

    @property
    def is_alone(self) -> bool:
        """Return whether this server has its state for itself, in `state.db`."""
        return self._is_alone

    @property
    def cluster_id(self) -> str:
        """The ID of the cluster of this server; "" for none."""
        return self._file.record.cluster_id

    @property
    def founders(self) -> frozenset[str]:
        """The node IDs of the servers that have founded the cluster together."""
        vote = self._file.record.ballot.vote
        return frozenset() if vote is None else frozenset(vote.electorate)

    @property
    def knows_leader(self) -> bool:
        """Return whether a server leads, as far as this one knows."""
        if (outside := self.leadership.outside) is not None:
            return bool(outside.leader)
        return self._is_alone or (self._phase is not None and self._phase.knows_leader)

    @property
    def reads(self) -> bool:
        """Return whether this server can answer a read with the present state: etcd has had a leader a moment ago."""
        return self._is_alone or (
            self._phase is not None and self._phase.had_quorum and self.engine.current is not None
        )

    @property
    def last_contact_ms(self) -> int:
        """Milliseconds since etcd last had a leader; 0 while it has one."""
        silence_s = None if self._phase is None else self._phase.silence_s
        return 0 if silence_s is None or silence_s < FRESH_S else int(silence_s * 1000)

    def state(self) -> ServerState:
        """Return the state of this server as it tells the others."""
        record = self._file.record
        has_state = self._is_alone or bool(record.cluster_id)
        is_member = bool(record.number) or record.is_founder or record.is_member
        return ServerState(
            record.cluster_id,
            has_state,
            waits=not self._is_alone and not is_member,
            index=self.engine.index,
            is_leaving=self._is_leaving,
            has_quorum=self._is_alone or (self._phase is not None and self._phase.has_quorum),
            leader=self.leadership.leader if self.leadership.outside is None and self.knows_leader else "",
        )

    # --- start and stop

    async def open(self) -> None:
        """Choose the engine that the state is loaded from.  Raises EngineError."""
        if begins_alone(self._single, self._file, self._folder, self.settings):
            self._is_alone = True
            self.engine.switch(self._single)
            self.leadership.use(Alone(self.own.node_id))

    async def start(self) -> None:
        """Take part in the life of the cluster from now on."""
        self._running = asyncio.get_running_loop().create_task(self._run())
        self.roster.start()
        await self._upkeep.start()
        self._relay.start()
        await self._duties.start()
        await self._watch.start()
        await self._search.start()

    async def _run(self) -> None:
        if self.settings.external is not None:
            from pyconsul.agent.cluster.etcd.remote import RemoteEtcd

            await self.enter(RemoteEtcd(self.settings.external, self.own.node_id))
            return
        if not self._is_alone:
            _warn_without_program()
        while not self._is_alone and not self.cluster_id:
            if await self._founder.run():
                break
            await asyncio.sleep(founder.PERIOD_S)
        if self.cluster_id and self._phase is None:
            await self._guest.resume()

    async def grow(self, newcomer: str) -> None:
        """Move the state of this server, which is alone, into etcd, since a newcomer waits.  Raises EngineError."""
        from pyconsul.agent.cluster.growth import Growth

        find_program()
        log.info("moving the state of this server into etcd, to add server %s", newcomer)
        growth = Growth(
            self._folder,
            self.own.node_id,
            self._file,
            self._single,
            self.engine,
            self.settings.member,
            self._phase_of,
            self._adopt,
        )
        await growth.run()
        log.info("the state of this server is in etcd now: cluster=%s", self.cluster_id)

    def _phase_of(self, etcd: LocalEtcd | RemoteEtcd) -> EtcdPhase:
        from pyconsul.agent.cluster.etcd_phase import EtcdPhase

        phase = EtcdPhase(etcd, self.own.node_id, self.engine, self.leadership, self._guest.removed)
        self._relay.use(phase.local)
        return phase

    def _adopt(self, phase: EtcdPhase) -> None:
        """The state has moved into the etcd of a phase."""
        self._phase, self._is_alone = phase, False
        self.leadership.use(phase.leadership)

    async def enter(self, etcd: LocalEtcd | RemoteEtcd) -> None:
        """Use an etcd that was started, as soon as it has a quorum."""
        self._phase = self._phase_of(etcd)
        await self._phase.begin(self._guest.connected)

    def local_etcd(self) -> LocalEtcd:
        """Return the etcd member of this server as it is recorded, not started."""
        from pyconsul.agent.cluster.etcd.local import LocalEtcd

        record = self._file.record
        settings = record.settings or self.settings.member
        return LocalEtcd(self._folder, self.own.node_id, record.cluster_id, settings)

    def prepare_relay(self, etcd: LocalEtcd) -> None:
        """Inform the relay of an etcd from now on."""
        self._relay.use(etcd)

    async def stop_phase(self) -> None:
        """Leave the present cluster, in memory."""
        phase, self._phase = self._phase, None
        self._relay.use(None)
        if phase is not None:
            await phase.stop()

    async def leave(self) -> None:
        """Remove the etcd member of this server, so that the others need no vote of it.  Errors are logged."""
        self._is_leaving = True
        if self._phase is None or self._phase.local is None:
            return
        try:
            await self.roster.leave()
        except EngineError as error:
            log.warning("this server stays a member of the cluster: %s", error)

    async def stop(self) -> None:
        """Hand the leadership over, and end everything."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._search.stop()
        await self._watch.stop()
        await self._duties.stop()
        self._relay.stop()
        await self._upkeep.stop()
        await self.roster.stop()
        await self.stop_phase()

    # --- connections of other servers

    async def serve(self, request: HTTPRequest, peer: Peer) -> Response:
        """Respond to a request of another server below /v1/pyconsul/cluster/."""
        return await self._requests.serve(request, peer)

    def hand_over(self, sock: socket.socket, peer: str) -> None:
        """Take a connection that began with the first byte of a relay."""
        local = None if self._phase is None else self._phase.local
        if local is None:
            sock.close()
        else:
            local.hand_over(sock, peer)


def _warn_without_program() -> None:
    """Say at the start, not only when a cluster adds this server, that it cannot be a member."""
    try:
        find_program()
    except EngineError as error:
        log.error("this server cannot be a member of a cluster: %s", error)
