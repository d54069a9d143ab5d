"""Watches the health of the servers on each of them, and has the leader remove those that are gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from pyconsul.agent.cluster.autopilot import rules
from pyconsul.agent.cluster.autopilot.rules import HealthRecord
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.duties.contract import Commit, Leadership
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged
from pyconsul.agent.model.autopilot import AutopilotSettings, ClusterServer, Survivor
from pyconsul.agent.model.member import Member, MemberStatus, UnknownMember
from pyconsul.agent.state import autopilot
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import AUTOPILOT
from pyconsul.agent.state.write_txn import WriteTxn

PERIOD_S = 2.0  # between two looks at the servers, as in Consul
UNKNOWN = "failed"  # status of a server that gossip does not know

log = logging.getLogger("agent.autopilot")


class Servers(Protocol):
    """The servers of the cluster without their health; see `httpapi.core.forwarding.standing.Cluster`."""

    @property
    def leader(self) -> ClusterServer | None: ...
    async def servers(self) -> Sequence[ClusterServer]: ...
    def last_known_servers(self) -> Sequence[ClusterServer]: ...
    async def transfer_leader(self, node_id: str) -> None: ...
    async def remove(self, node_id: str) -> None: ...
    async def survivors(self) -> Sequence[Survivor]: ...
    async def recover(self, node_id: str) -> None: ...
    def figures(self) -> dict[str, float]: ...


class Autopilot:
    """The cluster as operators see it: its servers with their health; removes those that are gone.

    It implements `httpapi.core.forwarding.standing.Cluster`.  Every server watches the health, so that a new leader knows it;
    only the leader removes servers.

    servers: the members of the cluster.  initial: the settings until the first change; a leader writes them into the state.
    clock: Unix seconds.  expected: the number of servers that this one waited for (`bootstrap_expect`).
    """

    def __init__(
        self,
        servers: Servers,
        lan: Membership,
        view: View,
        commit: Commit,
        leadership: Leadership,
        initial: AutopilotSettings,
        clock: Callable[[], float],
        expected: int = 0,
    ) -> None:
        self._servers, self._lan, self._view, self._commit = servers, lan, view, commit
        self._leadership, self._initial, self._clock = leadership, initial, clock
        self._most_voters = expected
        self._record, self._proposals = HealthRecord(), tuple[str, ...]()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Watch the servers from now on."""
        self._unsubscribe = self._lan.subscribe(self._on_event)
        self._leadership.subscribe(self._changed.set)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the watch."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- the cluster, with health

    @property
    def leader(self) -> ClusterServer | None:
        """Return the server that leads, as far as this one knows."""
        leader = self._servers.leader
        return None if leader is None else _with_status(leader, self._members().get(leader.node_id))

    async def servers(self) -> Sequence[ClusterServer]:
        """Return all members.  Raises EngineError."""
        return self._rate(await self._servers.servers())

    def last_known_servers(self) -> Sequence[ClusterServer]:
        """Return the members that this server has last heard of, with the health that it has last seen."""
        return self._record.shown(self._with_statuses(self._servers.last_known_servers()))

    async def transfer_leader(self, node_id: str) -> None:
        """Let another server lead.  Raises LookupError, EngineError."""
        await self._servers.transfer_leader(node_id)

    async def remove(self, node_id: str) -> None:
        """Remove a server.  Raises LookupError, EngineError."""
        await self._servers.remove(node_id)

    async def survivors(self) -> Sequence[Survivor]:
        """Return what each member of a cluster without a quorum still has.  Raises EngineError."""
        return await self._servers.survivors()

    async def recover(self, node_id: str) -> None:
        """Go on with the data of one server.  Raises EngineError."""
        await self._servers.recover(node_id)

    def figures(self) -> dict[str, float]:
        """Return numbers about this server's part of the cluster."""
        return self._servers.figures()

    def proposals(self) -> Sequence[str]:
        """Return a sentence for each failed server that is kept, with the reason."""
        return self._proposals

    @property
    def stabilization_s(self) -> float:
        """Return for how long a new server has to be alive before it gets its vote."""
        return self._settings().server_stabilization_time / SECOND_NS

    # --- watching

    def _on_event(self, event: PoolEvent) -> None:
        if isinstance(event, MemberChanged) and server_of(event.member) is not None:
            self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self.look()
            except EngineError as error:  # usually a missing quorum, which other parts report
                log.debug("cannot look at the servers, retrying in %gs: %s", PERIOD_S, error)
            except Exception:
                log.exception("cannot look at the servers, retrying in %gs", PERIOD_S)
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Note the health of the servers; as the leader, remove those that are gone.  Raises EngineError."""
        try:
            servers = await self.servers()
        except EngineError:
            self._rate(self._servers.last_known_servers())
            raise
        self._most_voters = max(self._most_voters, sum(server.is_voter for server in servers))
        if not self._leadership.leads:
            self._proposals = ()
            return
        if self._view[AUTOPILOT].get(autopilot.ONLY) is None:
            await self._commit(partial(_write_initial, settings=self._initial))
        plan = rules.plan(servers, self._settings(), self._clock(), self._most_voters)
        self._note(plan.proposals)
        for server in plan.removals[:1]:  # the next one is judged by what is left then
            await self._remove(server)
            self._changed.set()

    def _note(self, proposals: tuple[str, ...]) -> None:
        known = {_about(text) for text in self._proposals}
        for text in proposals:
            if _about(text) not in known:
                log.warning("autopilot keeps a failed server: %s", text)
        self._proposals = proposals

    async def _remove(self, server: ClusterServer) -> None:
        fields = {"id": server.node_id, "name": server.name, "status": server.serf_status}
        try:
            await self._servers.remove(server.node_id)
        except LookupError:
            return  # it removed itself
        log.info("removed a server that is gone from the cluster", extra={"fields": fields})
        if server.serf_status == "failed":
            with contextlib.suppress(UnknownMember):
                self._lan.force_leave(server.name)

    # --- health

    def _settings(self) -> AutopilotSettings:
        return autopilot.current(self._view, self._initial)

    def _rate(self, servers: Sequence[ClusterServer]) -> list[ClusterServer]:
        return self._record.rate(self._with_statuses(servers), self._settings(), self._clock())

    def _with_statuses(self, servers: Sequence[ClusterServer]) -> list[ClusterServer]:
        members = self._members()
        return [_with_status(server, members.get(server.node_id)) for server in servers]

    def _members(self) -> dict[str, Member]:
        """Return the servers in the pool by node ID; of two with the same ID, the one that is alive."""
        known = [member for member in self._lan.members() if server_of(member) is not None and "id" in member.tags]
        known.sort(key=lambda member: member.status is MemberStatus.ALIVE)
        return {member.tags["id"]: member for member in known}


def _with_status(server: ClusterServer, member: Member | None) -> ClusterServer:
    """Return a server with what gossip knows of it."""
    found = server_of(member) if member is not None else None
    if found is None or member is None:
        return replace(server, serf_status=UNKNOWN)
    return replace(
        server,
        name=found.name,
        address=address_of(found.address, found.port),
        serf_status=member.status.name.lower(),
        build=found.build.partition(":")[0],
    )


def address_of(host: str, port: int) -> str:
    """Return an address with a port; IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _about(proposal: str) -> str:
    """Return the server and the reason of a proposal, without the time."""
    name, _, rest = proposal.partition(" failed ")
    return name + rest.partition(":")[2]


def _write_initial(txn: WriteTxn, settings: AutopilotSettings) -> None:
    if txn[AUTOPILOT].get(autopilot.ONLY) is None:
        txn.put(AUTOPILOT, replace(settings, create_index=txn.index, modify_index=txn.index))
        txn.raise_index(autopilot.TOPIC)
