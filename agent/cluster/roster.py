"""The servers of this datacenter, without their health, and their changes; see `autopilot` and `forwarding.standing.Cluster`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.etcd.contract import ClusterMember
from pyconsul.agent.cluster.messages import Dismissal, Reply, ServerState, StateAsked
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.engine.contract import NO_LEADER, EngineError
from pyconsul.agent.gossip.consul.tags import Server, server_of
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.model.autopilot import ClusterServer, Survivor
from pyconsul.agent.model.member import MemberStatus

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster
    from pyconsul.agent.cluster.etcd.local import LocalEtcd
    from pyconsul.agent.cluster.etcd_phase import EtcdPhase

PERIOD_S = 0.5  # between two looks at the list of members
REMOVED_S = 60.0  # that a removed server is not added again while it stays alive; see `Host`
REMOVE_S = 7.0  # that the removal of a member is tried, while etcd elects a leader
STATE_S = 1.0  # that a server gets to tell its state
HAND_OVER_S = 2.0  # that handing the leadership over may take

log = logging.getLogger("agent.cluster")


class Roster:
    """The members of the cluster, with what gossip and the servers themselves say of them."""

    def __init__(self, cluster: ServerCluster, file: RecordFile, pool: Membership, colleagues: Colleagues) -> None:
        self._cluster, self._file, self._pool, self._colleagues = cluster, file, pool, colleagues
        self._task: asyncio.Task[None] | None = None
        self._has_handed_over = False  # or has tried to
        self._members: list[ClusterMember] = []  # as last read
        #: By node ID the loop time at which its etcd was last known to run (None: never), and its last answer.
        self._states: dict[str, tuple[float | None, ServerState]] = {}

    # --- reading

    @property
    def leader(self) -> ClusterServer | None:
        """Return the server that leads, as far as this one knows."""
        cluster = self._cluster
        if not cluster.knows_leader:
            return None
        found = self._shown([ClusterMember(0, cluster.leadership.leader, False)])
        return found[0]

    async def servers(self) -> Sequence[ClusterServer]:
        """Return all members of the cluster.  Raises EngineError."""
        phase = self._cluster.phase
        if not self._cluster.is_alone and (phase is None or not phase.had_quorum):
            raise EngineError(NO_LEADER)
        await self.refresh()
        await self._ask_states()
        return self.last_known_servers()

    def last_known_servers(self) -> Sequence[ClusterServer]:
        """Return the members that this server has last heard of; it needs no quorum."""
        own, record = self._cluster.own.node_id, self._file.record
        if self._cluster.is_alone:
            return self._shown([ClusterMember(0, own, False)])
        waits = not (record.is_member or record.is_founder)  # for its vote
        recorded = [ClusterMember(0, node_id, waits and node_id == own) for node_id in record.members]
        return self._shown(self._members or recorded)

    async def refresh(self) -> None:
        """Read the list of members.  Raises EngineError."""
        phase = self._cluster.phase
        if phase is None:
            self._members = []
        elif phase.local is not None:
            self._members = await phase.local.members.list()
            ids = sorted(member.node_id for member in self._members)
            if self._cluster.own.node_id in ids:
                self._file.change(members=tuple(ids))
        else:
            self._members = [ClusterMember(0, node_id, False) for node_id in sorted(self._alive())]

    async def _ask_states(self) -> set[str]:
        """Ask every other member that is alive for its state; return those that have answered."""
        alive, own, answered = self._alive(), self._cluster.own.node_id, set[str]()

        async def ask(node_id: str) -> None:
            try:
                async with asyncio.timeout(STATE_S):
                    state = await self._colleagues.ask(node_id, StateAsked(self._cluster.cluster_id), ServerState)
            except (NoAnswer, TimeoutError) as error:
                log.debug("server %s does not tell its state: %s", node_id, error)
            else:
                before_s = self._states[node_id][0] if node_id in self._states else None
                now = asyncio.get_running_loop().time()
                # An agent may answer while its etcd does not run, so that it cannot take part.
                self._states[node_id] = now if state.has_quorum else before_s, state
                answered.add(node_id)

        asked = [member.node_id for member in self._members if member.node_id in alive and member.node_id != own]
        await asyncio.gather(*map(ask, asked))
        return answered

    def _shown(self, members: Iterable[ClusterMember]) -> list[ClusterServer]:
        known = self._in_gossip()
        return [self._server(member, known.get(member.node_id)) for member in members]

    def _server(self, member: ClusterMember, found: tuple[Server, MemberStatus] | None) -> ClusterServer:
        cluster, node_id = self._cluster, member.node_id
        is_own = node_id == cluster.own.node_id
        server, status = (cluster.own, MemberStatus.ALIVE) if is_own else found or (None, MemberStatus.FAILED)
        contact_s, state = self._states.get(node_id, (None, None))
        silent_ms = -1 if contact_s is None else int((asyncio.get_running_loop().time() - contact_s) * 1000)
        term = 0 if cluster.phase is None else cluster.phase.term
        return ClusterServer(
            node_id=node_id,
            name=node_id if server is None else server.name,
            address="" if server is None else _address(server),
            is_leader=cluster.knows_leader and node_id == cluster.leadership.leader,
            is_voter=not member.is_learner,
            serf_status="alive" if is_own else _STATUS.get(status, "failed"),
            last_index=cluster.engine.index if is_own else 0 if state is None else state.index,
            last_term=term,
            last_contact_ms=0 if is_own else silent_ms,
            build="" if server is None else server.build.partition(":")[0],
        )

    def _in_gossip(self) -> dict[str, tuple[Server, MemberStatus]]:
        """Return the servers of this datacenter by node ID; an alive one comes before another of the same ID."""
        found: dict[str, tuple[Server, MemberStatus]] = {}
        for member in self._pool.members():
            server = server_of(member)
            if server is None or server.datacenter != self._cluster.own.datacenter:
                continue
            if member.status is MemberStatus.ALIVE or server.node_id not in found:
                found[server.node_id] = server, member.status
        return found

    def names(self) -> dict[str, str]:
        """Return the names of the servers by node ID, as gossip last knew them."""
        return {node_id: server.name for node_id, (server, _) in self._in_gossip().items()}

    def _alive(self) -> set[str]:
        alive = {node_id for node_id, (_, status) in self._in_gossip().items() if status is MemberStatus.ALIVE}
        return alive | {self._cluster.own.node_id}

    def figures(self) -> dict[str, float]:
        """Return the sizes of the etcd database of this server in bytes, by the names of the metrics."""
        phase = self._cluster.phase
        status = None if phase is None or phase.local is None else phase.local.last_status
        if status is None:
            return {}
        quota = self._cluster.settings.member.quota_backend_bytes
        return {
            "etcd.size_bytes": status.size_bytes,
            "etcd.used_bytes": status.used_bytes,
            "etcd.quota_bytes": quota,
        }

    # --- following

    def start(self) -> None:
        """Keep the list of members up to date, and let the leadership know which servers have failed."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more, and let another server lead before this one stops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self._has_handed_over:
            await self.hand_over()

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except EngineError as error:
                log.debug("cannot read the members of the cluster: %s", error)
            phase = self._cluster.phase
            for node_id, (_, status) in self._in_gossip().items():
                if phase is not None and node_id != self._cluster.own.node_id:
                    phase.leadership.set_gone(node_id, status is not MemberStatus.ALIVE)
            await asyncio.sleep(PERIOD_S)

    # --- changing

    async def transfer_leader(self, node_id: str) -> None:
        """Let another server lead; "": any one.  Raises LookupError for one that is not a voter, EngineError."""
        phase = self._phase()
        if not self._members:
            await self.refresh()
        present = self._alive() if node_id else await self._ask_states()  # gossip notices a server that stops too late
        if not present:
            raise LookupError("no other server can lead")  # nor has this one a quorum
        await self.refresh()
        own = self._cluster.own.node_id
        voters = [member for member in self._members if not member.is_learner and member.node_id != own]
        if node_id == own and self._cluster.leadership.leads:
            return
        chosen = [member for member in voters if member.node_id in present and node_id in ("", member.node_id)]
        if not chosen:
            raise LookupError(f"no voter with the ID {node_id}" if node_id else "no other server can lead")
        await self._hand_over_to(phase, chosen[0])

    async def _hand_over_to(self, phase: EtcdPhase, member: ClusterMember) -> None:
        if phase.local is not None and await phase.local.leads():
            await phase.local.members.move_leader(member)
        await phase.leadership.hand_over(member.node_id)

    async def hand_over(self) -> None:
        """Let another server lead before this one stops; errors are logged."""
        phase = self._cluster.phase
        if phase is None or not phase.has_quorum:
            return
        self._has_handed_over = True
        try:
            async with asyncio.timeout(HAND_OVER_S):
                if phase.leadership.leads or (phase.local is not None and await phase.local.leads()):
                    await self.transfer_leader("")
        except LookupError:
            return  # no other server
        except TimeoutError:
            log.info("the leadership was not handed over within %g s", HAND_OVER_S)
        except EngineError as error:
            log.info("the leadership was not handed over: %s", error)

    async def remove(self, node_id: str) -> None:
        """Remove a server from the cluster.  Raises LookupError if it is not a member, EngineError if that is not safe."""
        local = self._local()
        await self.refresh()
        member = next((one for one in self._members if one.node_id == node_id), None)
        if member is None:
            raise LookupError(f"server {node_id} is not a member of the cluster")
        require_quorum_without(member, self._members, self._alive())
        if node_id == self._cluster.own.node_id:
            await self.hand_over()
        if node_id in self._alive():  # one that has failed may be added as soon as it is back
            self._cluster.host.exclude(node_id, REMOVED_S)
        await _remove(local, member)
        log.info("removed server %s from the cluster", node_id)
        if node_id == self._cluster.own.node_id:
            return  # its etcd does not answer any more
        if node_id in self._alive():
            try:
                await self._colleagues.ask(node_id, Dismissal(self._cluster.cluster_id), Reply)
            except NoAnswer as error:
                log.info("server %s was not told that it was removed: %s", node_id, error)
        await self.refresh()

    async def survivors(self) -> Sequence[Survivor]:
        """Return what each member of a cluster without a quorum still has.  Raises EngineError."""
        return await self._cluster.recovery.survivors()

    async def recover(self, node_id: str) -> None:
        """Go on with the data of one server.  Raises EngineError."""
        await self._cluster.recovery.recover(node_id)

    async def leave(self) -> None:
        """Remove this server, if there are others.  Raises EngineError."""
        self._local()
        await self.refresh()
        if len(self._members) > 1:
            await self.remove(self._cluster.own.node_id)

    def _phase(self) -> EtcdPhase:
        phase = self._cluster.phase
        if phase is None or not phase.had_quorum:
            raise EngineError(NO_LEADER if not self._cluster.is_alone else "this server is the only one")
        return phase

    def _local(self) -> LocalEtcd:
        local = self._phase().local
        if local is None:
            raise EngineError("the members of an external etcd are managed with etcdctl")
        return local


_STATUS = {MemberStatus.ALIVE: "alive", MemberStatus.LEAVING: "leaving", MemberStatus.LEFT: "left"}


async def _remove(local: LocalEtcd, member: ClusterMember) -> None:
    """Remove a member, also while etcd elects a leader.  Raises EngineError."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + REMOVE_S
    while True:
        try:
            await local.members.remove(member)
            return
        except EngineError as error:
            if local.is_removed:  # the own member, which ends before it has confirmed that
                return
            if loop.time() > deadline_s:
                raise
            log.debug("member %s is not removed yet: %s", member.node_id, error)
        await asyncio.sleep(PERIOD_S)
        with suppress(EngineError):  # without an answer it may have been removed
            if member not in await local.members.list():
                return


def require_quorum_without(member: ClusterMember, members: Sequence[ClusterMember], alive: Collection[str]) -> None:
    """Raises EngineError when the members that stay would have no quorum.  alive: node IDs."""
    staying = [one for one in members if not one.is_learner and one != member]
    present = [one for one in staying if one.node_id in alive]
    needed = len(staying) // 2 + 1
    if not staying:
        raise EngineError("cannot remove the only server of the cluster")
    if len(present) < needed:
        raise EngineError(
            f"cannot remove server {member.node_id}: of the {len(staying)} voters that stay, {len(present)} are alive, but"
            f" {needed} are needed"
        )


def _address(server: Server) -> str:
    host = f"[{server.address}]" if ":" in server.address else server.address
    return f"{host}:{server.port}"
