"""The etcd of a server that belongs to a cluster: its member, the relay to the others, and clients of both."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from aetcd import rpc

from pyconsul.agent.cluster.etcd.contract import FOLDER, Status
from pyconsul.agent.cluster.etcd.member import LIMITS, EtcdMember, MemberSettings
from pyconsul.agent.cluster.etcd.members import EtcdMembers
from pyconsul.agent.cluster.relay.handshake import Identity
from pyconsul.agent.cluster.relay.link import RelayLink
from pyconsul.agent.cluster.settings import PREFIX
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.engine.etcd.errors import RevisionCompacted
from pyconsul.agent.engine.history.contract import Retention

RELAY_S = 3.0  # that the relay gets to listen, before etcd starts


class LocalEtcd:
    """A supervised etcd member."""

    prefix = PREFIX

    def __init__(self, folder: Path, node_id: str, cluster_id: str, settings: MemberSettings) -> None:
        """folder: of the cluster in the data dir."""
        self._node_id, self._cluster_id = node_id, cluster_id
        self._member = EtcdMember(folder / FOLDER, node_id, cluster_id, settings)
        self._relay = RelayLink(self._member.folder)
        self.client = Client([self._member.endpoint])
        self.members = EtcdMembers(self.client)
        self._status: Status | None = None
        self._dialed: set[str] = set()  # node IDs of the servers that the relay knows

    @property
    def has_data(self) -> bool:
        """Return whether the member was started before."""
        return self._member.has_data

    @property
    def is_removed(self) -> bool:
        """Return whether the member has ended since its cluster has removed it."""
        return self._member.is_removed

    async def start(self, members: Sequence[str]) -> None:
        """Start relay and member; see `EtcdMember.start`.  Raises EngineError."""
        folder = self._member.folder
        try:
            for stale in folder.glob("*:1"):
                stale.unlink()
            await self._relay.start()
        except OSError as error:
            raise EngineError(f"cannot start the relay: {error}") from error
        others = [folder / f"{node_id}:1" for node_id in self._dialed.intersection(members)]
        with suppress(TimeoutError):  # etcd is started again until it reaches the others
            async with asyncio.timeout(RELAY_S):
                while True:
                    if all(path.exists() for path in others):
                        break
                    await asyncio.sleep(0.01)
        await self._member.start(members)

    async def stop(self) -> None:
        """End everything, and wait for that."""
        await self.client.close()
        await self._member.stop()
        await self._relay.stop()

    def engine(self, retention: Retention) -> EtcdEngine:
        """Return an engine over this member, with separate connections."""
        return EtcdEngine(Client([self._member.endpoint]), self.prefix, self._node_id, retention, LIMITS)

    def use(
        self,
        name: str,
        addresses: Mapping[str, tuple[str, int]],
        owners: Mapping[str, str],
        names: Mapping[str, str],
        keys: Sequence[bytes],
    ) -> None:
        """Let the relay use the name of this server and the gossip keys.

        addresses, owners, names: of the other servers by node ID, host and port, the names of those that are alive, and of all.
        """
        self._dialed = set(addresses)
        identity = Identity(self._node_id, self._cluster_id, tuple(keys), name)
        self._relay.use(identity, dict(addresses), dict(owners), dict(names))

    def hand_over(self, sock: socket.socket, peer: str) -> None:
        """Give a connection of another relay to the own one."""
        self._relay.hand_over(sock, peer)

    async def status(self) -> Status:
        """Return the state of the member.  Raises EngineError."""
        found = await self.client.call(_maintenance("Status"), rpc.StatusRequest())
        header = found.header
        self._status = Status(
            header.member_id, found.leader, header.raft_term, found.dbSize, found.dbSizeInUse, tuple(found.errors)
        )
        return self._status

    @property
    def last_status(self) -> Status | None:
        """The state of the member when it was last asked for."""
        return self._status

    async def has_leader(self) -> bool:
        """Return whether the members have a leader.  Raises EngineError."""
        return bool((await self.status()).leader)

    async def leads(self) -> bool:
        """Return whether this member leads the others.  Raises EngineError."""
        status = await self.status()
        return status.leader == status.number

    # --- upkeep; all of it raises EngineError

    async def full_members(self) -> list[int]:
        """Return the numbers of the members whose quota is used up; all refuse writes then."""
        response = await self.client.call(_maintenance("Alarm"), rpc.AlarmRequest())
        return [alarm.memberID for alarm in response.alarms if alarm.alarm == rpc.AlarmType.NOSPACE]

    async def clear_alarm(self, number: int) -> None:
        """Let a member accept writes again."""
        action = rpc.AlarmRequest.AlarmAction.DEACTIVATE
        request = rpc.AlarmRequest(action=action, memberID=number, alarm=rpc.AlarmType.NOSPACE)
        await self.client.call(_maintenance("Alarm"), request)

    async def compact(self) -> None:
        """Forget all revisions but the present one."""
        response = await self.client.read(rpc.TxnRequest())
        request = rpc.CompactionRequest(revision=response.header.revision, physical=True)
        with suppress(RevisionCompacted):  # nothing was written since the last time
            await self.client.call(lambda channel: rpc.KVStub(channel).Compact, request)

    async def defragment(self, timeout_s: float) -> None:
        """Give the free space of the own database back to the disk; the member does not answer meanwhile."""
        await self.client.call(_maintenance("Defragment"), rpc.DefragmentRequest(), timeout_s)


def _maintenance(method: str) -> Callable[[Any], Any]:
    return lambda channel: getattr(rpc.MaintenanceStub(channel), method)
