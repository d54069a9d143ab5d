"""The contract between the HTTP API and the cluster that its agent belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Literal, Protocol, TypeAlias

from pyconsul.agent.engine import contract
from pyconsul.agent.model.autopilot import ClusterServer, Survivor

#: Of a request.  memory: a read that is answered from a state of any age; not the scope of an endpoint.
Scope: TypeAlias = Literal["local", "memory", "read", "write"]
NO_LEADER = contract.NO_LEADER
NO_SERVERS = "No known Consul servers"


class Standing(Protocol):
    """The place of this agent in its datacenter: what it can answer itself, and how fresh its state is.

    always_current: the state has every write at any time, since no other server writes; then `barrier` returns None.
    knows_leader, last_contact_ms: the values of `X-Consul-KnownLeader` and `X-Consul-LastContact`; 0 ms while this server hears of
        every commit as it is made.
    """

    @property
    def always_current(self) -> bool: ...
    @property
    def knows_leader(self) -> bool: ...
    @property
    def last_contact_ms(self) -> int: ...

    def serves(self, scope: Scope) -> bool:
        """Return whether this agent answers requests of a scope itself; otherwise they are forwarded."""

    def barrier(self) -> Awaitable[None] | None:
        """Return what ends as soon as the state has every write acknowledged before; None: it has them at any time.

        It raises EngineError; with NO_LEADER as text without a quorum.
        """

    def after_barrier(self, passed: contract.Passed) -> None:
        """Call back, not before this returns, when the future of a `barrier` would end: with None, or its error."""

    @property
    def has_state(self) -> bool:
        """Return whether the state was read since the start; a server without one has nothing to answer, `?stale` included."""


class Cluster(Protocol):
    """The servers of this datacenter, as a server knows them.  The methods raise EngineError, with NO_LEADER without a quorum."""

    @property
    def leader(self) -> ClusterServer | None:
        """Return the server that leads, as far as this one knows."""

    async def servers(self) -> Sequence[ClusterServer]:
        """Return all members of the cluster."""

    def last_known_servers(self) -> Sequence[ClusterServer]:
        """Return the members that this server has last heard of; it needs no quorum."""

    async def transfer_leader(self, node_id: str) -> None:
        """Let another server lead; "": any one.  Raises LookupError for one that is not a voter."""

    async def remove(self, node_id: str) -> None:
        """Remove a server from the cluster.  Raises LookupError if it is not a member."""

    async def survivors(self) -> Sequence[Survivor]:
        """Return what each member of a cluster without a quorum still has."""

    async def recover(self, node_id: str) -> None:
        """Go on with the data of one server, as a cluster that the others are added to again."""

    def figures(self) -> dict[str, float]:
        """Return numbers about this server's part of the cluster, by the names of the metrics."""

    def proposals(self) -> Sequence[str]:
        """Return a sentence for each failed server that autopilot keeps, with the reason."""


class SingleServer:
    """The standing of a server without others."""

    always_current, knows_leader, last_contact_ms, has_state = True, True, 0, True

    def serves(self, scope: Scope) -> bool:
        """Return that it answers everything."""
        return True

    def barrier(self) -> None:
        """Return that its state is always current."""

    def after_barrier(self, passed: contract.Passed) -> None:
        """Call back soon."""
        asyncio.get_running_loop().call_soon(passed, None)
