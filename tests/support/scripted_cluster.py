"""A cluster of servers that a test sets; it records what it is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER
from pyconsul.agent.model.autopilot import ClusterServer, Survivor


def cluster_server(name: str, **fields: Any) -> ClusterServer:
    """Return a voter; its node ID is made of its name."""
    given = {"is_leader": False, "is_voter": True, "address": f"10.0.0.{name[-1:]}:8300", "last_index": 100, **fields}
    return ClusterServer(node_id=f"id-{name}", name=name, **given)


def three() -> list[ClusterServer]:
    """Return three voters, the first of which leads."""
    return [cluster_server("s1", is_leader=True), cluster_server("s2"), cluster_server("s3")]


class ScriptedCluster:
    """A `Cluster`; without `quorum` what needs one fails; `is_late`: every member is gone before it can be removed."""

    def __init__(self, *servers: ClusterServer) -> None:
        self.known = list(servers or three())
        self.quorum, self.is_late = True, False
        self.transferred: list[str] = []
        self.removed: list[str] = []
        self.recovered: list[str] = []
        self.kept: tuple[str, ...] = ()

    @property
    def leader(self) -> ClusterServer | None:
        return next((server for server in self.known if server.is_leader), None) if self.quorum else None

    async def servers(self) -> Sequence[ClusterServer]:
        self._require_quorum()
        return list(self.known)

    def last_known_servers(self) -> Sequence[ClusterServer]:
        return list(self.known)

    async def transfer_leader(self, node_id: str) -> None:
        self._require_quorum()
        if node_id and not any(server.node_id == node_id and server.is_voter for server in self.known):
            raise LookupError(node_id)
        self.transferred.append(node_id)

    async def remove(self, node_id: str) -> None:
        self._require_quorum()
        if self.is_late or not any(server.node_id == node_id for server in self.known):
            raise LookupError(node_id)
        self.known = [server for server in self.known if server.node_id != node_id]
        self.removed.append(node_id)

    async def survivors(self) -> Sequence[Survivor]:
        if self.quorum:
            raise EngineError("etcd has a quorum: there is nothing to recover")
        return [
            Survivor(node_id=server.node_id, name=server.name, last_index=server.last_index) for server in self.known
        ]

    async def recover(self, node_id: str) -> None:
        await self.survivors()
        self.recovered.append(node_id)

    def figures(self) -> dict[str, float]:
        return {}

    def proposals(self) -> Sequence[str]:
        return self.kept

    def _require_quorum(self) -> None:
        if not self.quorum:
            raise EngineError(NO_LEADER)
