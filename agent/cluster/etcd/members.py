"""List, add, promote and remove the members of the etcd cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aetcd import rpc

from pyconsul.agent.cluster.etcd.contract import ClusterMember
from pyconsul.agent.engine.etcd.client import Client

TRY_S = 1.5  # that a request gets: etcd may be electing a leader, and answers the next one


class EtcdMembers:
    """Asks and changes the members, by any of them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self) -> list[ClusterMember]:
        """Return all members.  Raises EngineError."""
        response = await self._client.call(_cluster("MemberList"), rpc.MemberListRequest(), TRY_S)
        return [_member(found) for found in response.members]

    async def add(self, node_id: str) -> ClusterMember:
        """Add a member as a learner.  Raises EngineError."""
        request = rpc.MemberAddRequest(peerURLs=[f"unix://{node_id}:1"], isLearner=True)
        return _member((await self._client.call(_cluster("MemberAdd"), request)).member)

    async def promote(self, member: ClusterMember) -> None:
        """Give a learner a vote.  Raises EngineError, while it has not caught up, too."""
        await self._client.call(_cluster("MemberPromote"), rpc.MemberPromoteRequest(ID=member.id))

    async def remove(self, member: ClusterMember) -> None:
        """Remove a member.  Raises EngineError."""
        await self._client.call(_cluster("MemberRemove"), rpc.MemberRemoveRequest(ID=member.id), TRY_S)

    async def move_leader(self, member: ClusterMember) -> None:
        """Let another voter lead etcd; only the member that leads may be asked.  Raises EngineError."""
        request = rpc.MoveLeaderRequest(targetID=member.id)
        await self._client.call(_maintenance("MoveLeader"), request)

    async def leader(self) -> int:
        """Return the number of the member that leads; 0: none.  Raises EngineError."""
        response = await self._client.call(_maintenance("Status"), rpc.StatusRequest())
        return int(response.leader)


def _cluster(method: str) -> Callable[[Any], Any]:
    return lambda channel: getattr(rpc.ClusterStub(channel), method)


def _maintenance(method: str) -> Callable[[Any], Any]:
    return lambda channel: getattr(rpc.MaintenanceStub(channel), method)


def _member(found: Any) -> ClusterMember:
    url: str = found.peerURLs[0]
    return ClusterMember(found.ID, url.removeprefix("unix://").removesuffix(":1"), found.isLearner)
