"""The newcomer's side of joining: starts its etcd member when the leader has added it, and starts it again later."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.etcd.contract import set_aside
from pyconsul.agent.cluster.etcd.member import find_program
from pyconsul.agent.cluster.messages import Dismissal, Invitation, Reply
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.rpc.contract import Peer

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster

RETRY_S = 5.0  # before a start that failed is tried again

log = logging.getLogger("agent.cluster")


class Guest:
    """Starts the etcd member of this server."""

    def __init__(self, cluster: ServerCluster, file: RecordFile, folder: Path) -> None:
        self._cluster, self._file, self._folder = cluster, file, folder
        self.lock = asyncio.Lock()  # held by who starts, stops or replaces the etcd member
        self._removing: asyncio.Task[None] | None = None

    async def resume(self) -> None:
        """Start the member as it is recorded, again and again until that succeeds."""
        failed = ""
        while True:
            try:
                async with self.lock:
                    if self._cluster.phase is None and self._file.record.cluster_id:
                        await self.start()
                    return
            except EngineError as error:
                if str(error) != failed:
                    log.error("%s", error)
                failed = str(error)
            except Exception:
                log.exception("the etcd member of this server cannot be started, retrying in %gs", RETRY_S)
            await asyncio.sleep(RETRY_S)

    async def invited(self, message: Invitation, peer: Peer) -> Reply:
        """Start a member that the leader has just added, with empty data.  Raises EngineError.

        An etcd of an earlier invitation may have started after this one was sent: etcd finds its number by the name of the server,
        so it may have confirmed entries as the new member.  Its data cannot be dropped without adding yet another member.
        """
        async with self.lock:
            if refusal := self._refusal(message):
                log.warning("server %s invites this one to its cluster, which is refused: %s", peer.name, refusal)
                return Reply(refusal)
            record = self._file.record
            if record.cluster_id == message.cluster_id and record.number == message.number:
                if self._cluster.phase is None:
                    await self.start()
                return Reply()
            log.info("server %s has added this one to its cluster: cluster=%s", peer.name, message.cluster_id)
            await self._cluster.stop_phase()
            if self._set_aside() or record.number:
                self._file.change(number=0, is_member=False, is_founder=False)
                return Reply(again=True)
            self._file.change(
                cluster_id=message.cluster_id,
                number=message.number,
                is_member=False,
                is_founder=False,
                members=message.members,
                settings=message.settings,
                replaced=message.replaced,
            )
            await self.start()
            return Reply()

    def _refusal(self, message: Invitation) -> str:
        cluster = self._cluster
        if cluster.settings.external is not None:
            return "it uses the etcd of its setting etcd { endpoints }"
        if cluster.is_alone:
            return "it has a state for itself alone"
        if cluster.cluster_id not in ("", message.cluster_id):
            return f"it belongs to cluster {cluster.cluster_id}"
        try:
            find_program()
        except EngineError as error:
            return str(error)
        return ""

    async def dismissed(self, message: Dismissal, peer: Peer) -> Reply:
        """End the member, which was removed from its cluster.  Raises EngineError."""
        async with self.lock:
            if message.cluster_id != self._cluster.cluster_id:
                return Reply(f"it belongs to cluster {self._cluster.cluster_id or 'none'}")
            log.warning("server %s has removed this one from the cluster", peer.name)
            await self._wait_for_invitation()
            return Reply()

    def removed(self) -> None:
        """The member has ended: the cluster removed it while this server was away."""
        self._removing = asyncio.get_running_loop().create_task(self._leave_removed())

    async def _leave_removed(self) -> None:
        async with self.lock:
            phase = self._cluster.phase
            if phase is None or phase.local is None or not phase.local.is_removed:
                return  # it was invited meanwhile
            try:
                await self._wait_for_invitation()
            except EngineError as error:
                log.error("%s", error)

    async def _wait_for_invitation(self) -> None:
        """End the member, and keep its data apart: the leader adds this server again.  Raises EngineError."""
        await self._cluster.stop_phase()
        self._set_aside()
        self._file.change(number=0, is_member=False, is_founder=False)

    def connected(self) -> None:
        """Record that the member has data: it has answered."""
        if self._file.record.cluster_id and not self._file.record.is_member:
            try:
                self._file.change(is_member=True)
            except EngineError as error:
                log.error("%s", error)

    async def start(self) -> None:
        """Start the member as it is recorded; the caller holds the lock.  Raises EngineError."""
        record, cluster = self._file.record, self._cluster
        etcd = cluster.local_etcd()
        if not etcd.has_data and (record.is_member or not (record.is_founder or record.number)):
            await etcd.stop()
            if record.is_member:
                log.error("the etcd data of this server is gone from %s: the leader has to add it again", self._folder)
                self._file.change(number=0, is_member=False, is_founder=False)
            return
        try:
            cluster.prepare_relay(etcd)
            await etcd.start(record.members)
        except BaseException:
            await etcd.stop()
            raise
        await cluster.enter(etcd)

    def _set_aside(self) -> bool:
        """Return whether there were data.  Raises EngineError."""
        try:
            kept = set_aside(self._folder, "removed")
        except OSError as error:
            raise EngineError(f"cannot rename the etcd data in {self._folder}: {error}") from error
        if kept is not None:
            log.info("the earlier etcd data of this server is kept in %s", kept)
        return kept is not None
