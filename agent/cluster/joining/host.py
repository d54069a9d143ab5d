"""The leader's side of joining: adds the servers of its datacenter one at a time, as learners first.

A learner has no vote, and its server passes requests on.  It gets its vote after `server_stabilization_time`, which begins
when the leader sees it alive, not when it is added: servers that come together wait together.  Those that found a cluster
together vote at once.

Source: https://developer.hashicorp.com/consul/docs/manage/scale/autopilot
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.etcd.contract import ClusterMember
from pyconsul.agent.cluster.joining import plan
from pyconsul.agent.cluster.messages import Invitation, Reply, ServerState, StateAsked
from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.rpc.contract import Servers

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster
    from pyconsul.agent.cluster.etcd.local import LocalEtcd

PERIOD_S = 0.3
PROMOTE_S = 0.05  # between two tries to promote a learner
JOIN_S = 60.0  # that a newcomer gets until it has caught up
LOOK_S = 3.0  # between two looks for members that have lost their data
AGAIN_S = 30.0  # before a server that was refused, or did not start, is asked again
SOON_S = 2.0  # before one that did not answer is asked again

log = logging.getLogger("agent.cluster")


class Host(TaskDuty):
    """Adds servers while this one leads."""

    def __init__(self, cluster: ServerCluster, servers: Servers, colleagues: Colleagues) -> None:
        self._cluster, self._servers, self._colleagues = cluster, servers, colleagues
        self._excluded: dict[str, float] = {}  # node ID -> loop time from which it is asked again
        self._alive = plan.AliveSince()
        self._stabilization_s: Callable[[], float] = lambda: 0.0
        self._is_founded = False
        self._since: dict[int, float] = {}  # number of a learner -> loop time since which its promotion is tried
        self._invited: set[int] = set()
        self._looked_s = 0.0
        self._logged: dict[str, str] = {}  # node ID -> last message about it

    def use(self, stabilization_s: Callable[[], float]) -> None:
        """Give a new server its vote only after it was alive for so long: the present `server_stabilization_time`."""
        self._stabilization_s = stabilization_s

    async def run(self) -> None:
        """Add and promote servers, one step after the other."""
        self._excluded.clear()
        self._invited.clear()
        self._alive = plan.AliveSince()
        while True:
            try:
                is_busy = await self._step()
            except (EngineError, NoAnswer) as error:
                log.debug("cannot look after the members of the cluster: %s", error)
                is_busy = False
            except Exception:
                log.exception("cannot look after the members of the cluster")
                is_busy = False
            await asyncio.sleep(PROMOTE_S if is_busy else PERIOD_S)

    async def _step(self) -> bool:
        """Take one step; returns whether the next one should follow soon."""
        cluster = self._cluster
        others = {server.node_id: server for server in self._servers.all() if server.node_id != cluster.own.node_id}
        now = asyncio.get_running_loop().time()
        self._alive.note(others, now)
        # A server that is gone may be added as soon as it is back.
        self._excluded = {node_id: until for node_id, until in self._excluded.items() if node_id in others}
        if cluster.is_alone:
            return await self._grow(others)
        local = None if cluster.phase is None else cluster.phase.local
        if local is None:
            return False
        members = await local.members.list()
        stable = self._alive.for_at_least(self._stabilization_s(), now) | self._founding(members)
        late = self._late([member for member in members if member.node_id in stable], now)
        step = plan.next_step(members, [cluster.own.node_id, *others], stable, late, self._now_excluded())
        if isinstance(step, plan.Add):
            return await self._add(local, members, others[step.node_id])
        if isinstance(step, plan.Promote):
            return await self._promote(local, members, step.member)
        if isinstance(step, plan.Invite):
            await self._invite(local, members, step.member)
        if isinstance(step, plan.TakeOut):
            await self._take_out(local, step.member, "it has not started in time")
        return await self._look_for_lost_data(local, members, others)

    def exclude(self, node_id: str, for_s: float = AGAIN_S) -> None:
        """Do not add a server for some time."""
        self._excluded[node_id] = asyncio.get_running_loop().time() + for_s

    def _now_excluded(self) -> set[str]:
        now = asyncio.get_running_loop().time()
        self._excluded = {node_id: until for node_id, until in self._excluded.items() if until > now}
        return set(self._excluded)

    def _founding(self, members: list[ClusterMember]) -> frozenset[str]:
        """Return the servers that vote at once: those that found the cluster together, until all of them have a vote."""
        founders = self._cluster.founders
        self._is_founded = self._is_founded or sum(not member.is_learner for member in members) >= len(founders)
        return frozenset() if self._is_founded else founders

    def _late(self, stable: list[ClusterMember], now: float) -> list[int]:
        """Return the numbers of the learners that could have been promoted for long."""
        numbers = [member.id for member in stable if member.is_learner]
        self._since = {number: self._since.get(number, now) for number in numbers}
        return [number for number, since in self._since.items() if now - since > JOIN_S]

    # --- steps

    async def _grow(self, others: dict[str, Server]) -> bool:
        """Move the state of a server that is alone into etcd, when a newcomer waits for it."""
        for server in others.values():
            if server.node_id not in self._now_excluded() and await self._may_be_added(server):
                try:
                    await self._cluster.grow(server.name)
                except EngineError as error:
                    self._refuse(server, str(error), again_s=SOON_S)
                    return False
                return True
        return False

    async def _add(self, local: LocalEtcd, members: list[ClusterMember], server: Server) -> bool:
        if not await self._may_be_added(server):
            return True
        member = await local.members.add(server.node_id)
        words = (
            "adding server %s to the cluster; it gets its vote once it was alive for %g s (server_stabilization_time)"
        )
        log.info(words, server.name, self._stabilization_s())
        await self._invite(local, [*members, member], member)
        return True

    async def _may_be_added(self, server: Server) -> bool:
        """Ask a server whether it waits for a cluster; one that does not is not asked again for some time."""
        own = self._cluster.cluster_id
        try:
            asked = StateAsked(own, leads=True, replaced=self._cluster.recovery.replaced)
            state = await self._colleagues.ask(server.node_id, asked, ServerState)
        except NoAnswer as error:
            self._refuse(server, f"it does not answer: {error}", SOON_S)
            return False
        if state.is_leaving:
            return False
        if state.cluster_id in self._cluster.recovery.replaced:
            if refusal := await self._cluster.recovery.replace(server.node_id, state.cluster_id):
                self._refuse(server, refusal)
            return not refusal
        if state.waits and state.cluster_id in ("", own):
            return True
        if own and state.cluster_id == own:
            return True  # it was removed while it was away
        if server.is_bootstrapped:
            self.exclude(server.node_id)  # gossip has reported that
            return False
        named = f"cluster {state.cluster_id}" if state.cluster_id else "it alone"
        self._refuse(
            server,
            f"it has a state already, of {named}; to add it, stop its agent, move its data folder away, and start it again"
            " without bootstrap",
        )
        return False

    async def _invite(self, local: LocalEtcd, members: list[ClusterMember], member: ClusterMember) -> bool:
        """Invite a learner once; returns whether it takes part, or False when it was taken out again."""
        if member.id in self._invited:
            return True
        invitation = Invitation(
            self._cluster.cluster_id,
            member.id,
            tuple(sorted({one.node_id for one in members} | {member.node_id})),
            self._cluster.settings.member,
            self._cluster.recovery.replaced,
        )
        try:
            reply = await self._colleagues.ask(member.node_id, invitation, Reply)
        except NoAnswer as error:
            await self._take_out(local, member, str(error), SOON_S)
            return False
        if reply.refusal:
            await self._take_out(local, member, reply.refusal)
            return False
        if reply.again:
            await self._take_out(local, member, "it had the data of an earlier member; it is added again", 0.0)
            return False
        self._invited.add(member.id)
        return True

    async def _promote(self, local: LocalEtcd, members: list[ClusterMember], member: ClusterMember) -> bool:
        """Try to give a learner its vote."""
        if not await self._invite(local, members, member):
            return False
        try:
            await local.members.promote(member)
        except EngineError as error:
            log.debug("server %s has not caught up yet: %s", member.node_id, error)
        else:
            log.info("server %s is a voter of the cluster now", self._name(member.node_id))
        return True

    async def _take_out(self, local: LocalEtcd, member: ClusterMember, reason: str, again_s: float = AGAIN_S) -> None:
        self.exclude(member.node_id, again_s)
        await local.members.remove(member)
        self._invited.discard(member.id)
        log.warning("server %s was not added to the cluster: %s", self._name(member.node_id), reason)

    async def _look_for_lost_data(
        self, local: LocalEtcd, members: list[ClusterMember], others: dict[str, Server]
    ) -> bool:
        """Remove the member of a server that has lost its data, so that it is added again."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_s < LOOK_S:
            return False
        self._looked_s = now
        for member in members:
            server = others.get(member.node_id)
            if server is None:
                continue
            try:
                state = await self._colleagues.ask(server.node_id, StateAsked(self._cluster.cluster_id), ServerState)
            except NoAnswer:
                continue
            if state.waits and state.cluster_id in ("", self._cluster.cluster_id):
                log.warning("server %s has lost its etcd data: removing its member, to add it again", server.name)
                await local.members.remove(member)
                return True
        return False

    def _refuse(self, server: Server, reason: str, again_s: float = AGAIN_S) -> None:
        self.exclude(server.node_id, again_s)
        if self._logged.get(server.node_id) != reason:
            self._logged[server.node_id] = reason
            log.warning("cannot add server %s (%s:%d): %s", server.name, server.address, server.port, reason)

    def _name(self, node_id: str) -> str:
        server = self._servers.find(node_id)
        return node_id if server is None else server.name
