"""The recovery of a cluster whose majority is lost for good: goes on with the best copy that is left.

etcd's `--force-new-cluster` makes a cluster of one member of its data, and drops entries that it does not know to be committed.  So
the last acknowledged writes may be missing, and a human decides.  A copy of the data is used each time: nothing is lost by looking.
The new cluster has another ID, so that members of the old one that come back later cannot mix with it.  It keeps the ID of the old
one: its leader has such members give their data up before their own quorum serves again, and adds them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.etcd.contract import FOLDER, set_aside
from pyconsul.agent.cluster.etcd.member import EtcdMember
from pyconsul.agent.cluster.joining.guest import Guest
from pyconsul.agent.cluster.messages import Recovered, RecoveryAsked, Reply, SurveyAsked
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.common.files.atomic_file import sync_folder
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.model.autopilot import Survivor

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster

SCRATCH = "recovery"  # folder of the copy
SURVEY_S = 90.0  # that another server gets to look at its data, or to go on with them
SERVED_S = 10.0  # of a quorum, after which servers do not give their data up

log = logging.getLogger("agent.cluster")


class Recovery:
    """The recovery as one server takes part in it."""

    def __init__(
        self,
        cluster: ServerCluster,
        file: RecordFile,
        folder: Path,
        servers: Callable[[], Sequence[Server]],
        names: Callable[[], Mapping[str, str]],
        colleagues: Colleagues,
        guest: Guest,
    ) -> None:
        """servers: returns those of the datacenter that are alive.  names: returns those of all servers, by node ID."""
        self._cluster, self._file, self._folder = cluster, file, folder
        self._servers, self._names, self._colleagues, self._guest = servers, names, colleagues, guest
        self._scratch = folder / SCRATCH
        self._has_reported = False  # that this server has not given its data up

    @property
    def replaced(self) -> tuple[str, ...]:
        """The IDs of the clusters that the cluster of this server was recovered from."""
        return self._file.record.replaced

    # --- what an operator asks

    async def survivors(self) -> list[Survivor]:
        """Return what each member of the cluster still has.  Raises EngineError."""
        self._require_no_quorum()
        own = self._cluster.own.node_id
        alive = {server.node_id: server.name for server in self._servers()}
        names = {**self._names(), **alive}
        members = sorted({*self._file.record.members, *alive} - {own})
        asked = (self._ask(node_id, names.get(node_id, node_id), is_alive=node_id in alive) for node_id in members)
        return list(await asyncio.gather(self._look(), *asked))

    async def _look(self) -> Survivor:
        own = self._cluster.own
        try:
            return await self.inspect(SurveyAsked(self._cluster.cluster_id))
        except EngineError as error:
            return Survivor(node_id=own.node_id, name=own.name, error=str(error))

    async def _ask(self, node_id: str, name: str, *, is_alive: bool) -> Survivor:
        if not is_alive:
            return Survivor(node_id=node_id, name=name, error="it is not reachable")
        try:
            message = SurveyAsked(self._cluster.cluster_id)
            return await self._colleagues.ask(node_id, message, Survivor, SURVEY_S)
        except NoAnswer as error:
            return Survivor(node_id=node_id, name=name, error=str(error))

    async def recover(self, node_id: str) -> None:
        """Go on with the data of a server.  Raises EngineError."""
        message = RecoveryAsked(self._cluster.cluster_id)
        if node_id == self._cluster.own.node_id:
            await self.go_on(message)
            return
        try:
            reply = await self._colleagues.ask(node_id, message, Reply, SURVEY_S)
        except NoAnswer as error:
            raise EngineError(f"server {node_id} has not recovered the cluster: {error}") from error
        if reply.refusal:
            raise EngineError(f"server {node_id} has not recovered the cluster: {reply.refusal}")

    # --- what the servers ask each other

    async def inspect(self, message: SurveyAsked) -> Survivor:
        """Return the last commit in the own data, read from a copy.  Raises EngineError."""
        async with self._guest.lock:
            self._require_data(message.cluster_id)
            try:
                try:
                    await self._copy_data()
                finally:
                    await self._guest.start()
                index, time = await self._forced()
            finally:
                await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
        own = self._cluster.own
        return Survivor(node_id=own.node_id, name=own.name, last_index=index, last_time=time)

    async def go_on(self, message: RecoveryAsked) -> Reply:
        """Go on with the own data as a cluster of one.  Raises EngineError."""
        async with self._guest.lock:
            self._require_data(message.cluster_id)
            before, cluster_id = self._cluster.cluster_id, secrets.token_hex(8)
            try:
                await self._copy_data()
                index, _ = await self._forced()
                self._replace_data(cluster_id)
            finally:
                await self._guest.start()
        log.warning("recovered the cluster with the data of this server: index=%d new cluster=%s", index, cluster_id)
        for server in self._servers():
            if server.node_id != self._cluster.own.node_id:
                await self._tell(server, Recovered(before, cluster_id, self.replaced))
        return Reply()

    async def recovered(self, message: Recovered) -> Reply:
        """Give the own data up, since the cluster goes on without them.  Raises EngineError."""
        async with self._guest.lock:
            if message.before != self._cluster.cluster_id:
                return Reply(f"it belongs to cluster {self._cluster.cluster_id or 'none'}")
            if refusal := self._refusal():
                return Reply(refusal)
            await self._cluster.stop_phase()
            kept = set_aside(self._folder, "before-recovery")
            self._file.change(
                cluster_id=message.cluster_id,
                number=0,
                is_founder=False,
                is_member=False,
                replaced=message.replaced or (message.before,),
            )
            log.warning("the cluster was recovered with the data of another server; those of this one are in %s", kept)
            return Reply()

    async def _tell(self, server: Server, message: Recovered) -> None:
        """Inform a server of the recovery; the new leader does so later when this fails."""
        try:
            await self._colleagues.ask(server.node_id, message, Reply)
        except NoAnswer as error:
            log.info("server %s was not told of the recovery yet: %s", server.name, error)

    async def replace(self, node_id: str, before: str) -> str:
        """Have a server of a cluster that this one was recovered from give its data up; return why it does not, or "".

        Raises NoAnswer.
        """
        message = Recovered(before, self._cluster.cluster_id, self.replaced)
        return (await self._colleagues.ask(node_id, message, Reply)).refusal

    def _refusal(self) -> str:
        """Return why the own data are not given up; "" otherwise.

        The servers that were thought lost may have served all the time, behind a cut cable: then a human has to choose.
        """
        phase = self._cluster.phase
        if phase is None or phase.served_s < SERVED_S:
            return ""
        if not self._has_reported:
            self._has_reported = True
            log.error(
                "this cluster was recovered from one server while the others had a quorum: there are two clusters now. Stop the"
                " servers of one of them, move their data folders away, and start them again without bootstrap"
            )
        return (
            f"it belongs to cluster {self._cluster.cluster_id}, which this one was recovered from, but which has a quorum: stop the"
            " servers of one of the two clusters, move their data folders away, and start them again without bootstrap"
        )

    # --- the data

    def _require_no_quorum(self) -> None:
        phase = self._cluster.phase
        if phase is not None and phase.had_quorum:
            raise EngineError("etcd has a quorum: there is nothing to recover")
        if self._cluster.settings.external is not None:
            raise EngineError(
                "the state is in the etcd of etcd { endpoints }: recover that one with etcdctl snapshot restore"
            )
        if self._cluster.is_alone or not self._cluster.cluster_id:
            raise EngineError("this server belongs to no cluster")

    def _require_data(self, cluster_id: str) -> None:
        self._require_no_quorum()
        if cluster_id != self._cluster.cluster_id:
            raise EngineError(f"this server belongs to cluster {self._cluster.cluster_id}")
        if not (self._folder / FOLDER / "data" / "member").is_dir():
            raise EngineError("this server has no etcd data")

    def _replace_data(self, cluster_id: str) -> None:
        """Put the copy in place of the data, which are kept.  Raises EngineError."""
        own, before = self._cluster.own.node_id, self._file.record
        self._file.change(
            cluster_id=cluster_id,
            number=0,
            is_founder=True,
            is_member=True,
            members=(own,),
            replaced=(*before.replaced, before.cluster_id),
        )
        try:
            set_aside(self._folder, "before-recovery")
            os.rename(self._scratch / FOLDER, self._folder / FOLDER)
            sync_folder(self._folder)
        except OSError as error:
            raise EngineError(f"cannot rename the etcd data in {self._folder}: {error}") from error

    async def _copy_data(self) -> None:
        """Copy the data of the own member, which is stopped for that.  Raises EngineError."""
        await self._cluster.stop_phase()
        try:
            await asyncio.to_thread(self._copy)
        except OSError as error:
            raise EngineError(f"cannot copy the etcd data in {self._folder}: {error}") from error

    def _copy(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        (self._scratch / FOLDER).mkdir(mode=0o700, parents=True)
        shutil.copytree(self._folder / FOLDER / "data", self._scratch / FOLDER / "data")

    async def _forced(self) -> tuple[int, float]:
        """Make the copy a cluster of one; returns index and time of its last commit.  Raises EngineError."""
        from pyconsul.agent.cluster.etcd.last_commit import last_commit

        cluster = self._cluster
        settings = self._file.record.settings or cluster.settings.member
        member = EtcdMember(self._scratch / FOLDER, cluster.own.node_id, cluster.cluster_id, settings)
        try:
            await member.start([cluster.own.node_id], "--force-new-cluster")
            return await last_commit(member.endpoint)
        finally:
            await member.stop()
