"""The move of a single server's state from `state.db` into an etcd of one member, while clients read and write.

| step | a server that is killed after it |
| --- | --- |
| recorded | goes on with `state.db`, and forgets the move |
| started: etcd runs, without a state | likewise |
| leading: this server holds the leadership in etcd | likewise |
| copied: rows and history of one moment are in etcd | likewise |
| caught up: almost all later commits, too | likewise |
| held: no write begins any more, and etcd has every commit | likewise |
| `state.db` is marked as moved, which is the one point that decides | goes on with etcd |
| switched: writes go to etcd | goes on with etcd |
| recorded as a member | goes on with etcd |
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pyconsul.agent.cluster.etcd.contract import FOLDER
from pyconsul.agent.cluster.etcd.local import LocalEtcd
from pyconsul.agent.cluster.etcd.member import MemberSettings
from pyconsul.agent.cluster.etcd_phase import EtcdPhase
from pyconsul.agent.cluster.record import Record, RecordFile
from pyconsul.agent.engine.batch import size_of
from pyconsul.agent.engine.contract import EngineError, Limits, Loaded, MovableEngine
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.engine.switchable import Recording, SwitchableEngine
from pyconsul.agent.state.changeset import Changeset

START_S = 30.0  # that etcd gets to answer, and to give this server the leadership
POLL_S = 0.02
FEW_COMMITS = 20  # that are left when writes are held
MAX_ROUNDS = 20  # of catching up; with more writes than that, they wait longer

log = logging.getLogger("agent.cluster")


class Growth:
    """One move.  `phase`: the etcd, once it has started."""

    def __init__(
        self,
        folder: Path,
        node_id: str,
        file: RecordFile,
        single: MovableEngine,
        engine: SwitchableEngine,
        settings: MemberSettings,
        enter: Callable[[LocalEtcd], EtcdPhase],
        adopt: Callable[[EtcdPhase], None],
    ) -> None:
        """folder: of the cluster.  enter: makes the phase of an etcd, and informs its relay.  adopt: makes it the present one."""
        self._folder, self._node_id, self._file = folder, node_id, file
        self._single, self._engine, self._settings = single, engine, settings
        self._enter, self._adopt = enter, adopt
        self._phase: EtcdPhase | None = None
        self._target: EtcdEngine | None = None

    async def run(self) -> None:
        """Move the state; after a failure everything is as before.  Raises EngineError."""
        try:
            async for step in self.steps():
                log.debug("moving the state into etcd: %s", step)
        except BaseException:
            if not self._single.moved_to:
                await self._undo()
            raise

    async def steps(self) -> AsyncIterator[str]:
        """Do one step after the other, and return the name of each that is done.  Raises EngineError."""
        cluster_id = secrets.token_hex(8)
        shutil.rmtree(self._folder / FOLDER, ignore_errors=True)  # of a move that was interrupted
        self._file.store(Record(cluster_id, is_founder=True, members=(self._node_id,)))
        yield "recorded"
        etcd = LocalEtcd(self._folder, self._node_id, cluster_id, self._settings)
        phase = self._phase = self._enter(etcd)
        await etcd.start([self._node_id])
        target = self._target = etcd.engine(self._engine.retention)
        await _until(partial(_answers, target), "etcd has not answered")
        yield "started"
        await phase.leadership.start()
        await _until(partial(_leads, phase), "this server has not got the leadership in etcd")
        yield "leading"
        with self._engine.recording() as recording:
            index = await self._copy(target)
            yield "copied"
            await self._catch_up(target, recording, index)
            yield "caught up"
            async with self._engine.held():
                await self._follow(target, recording, index)
                yield "held"
                await self._switch(cluster_id, phase, target)
        yield "switched"
        await self._single.close()
        self._file.change(is_member=True)
        yield "recorded as a member"

    async def _switch(self, cluster_id: str, phase: EtcdPhase, target: EtcdEngine) -> None:
        """Mark `state.db` and switch to etcd: both or nothing, even when this server stops at that moment."""
        marking = asyncio.ensure_future(self._single.mark_moved(cluster_id))
        is_canceled = False
        try:
            await asyncio.shield(marking)
        except asyncio.CancelledError:
            is_canceled = True
            await asyncio.wait([marking])
        marking.result()
        phase.take_over(target)
        self._adopt(phase)
        if is_canceled:
            raise asyncio.CancelledError

    async def _copy(self, target: EtcdEngine) -> int:
        """Copy the rows and the history of this moment; returns their index."""
        copied = await self._single.copy()
        await target.load()
        if copied.index:
            await self._write(target, copied)
        return copied.index

    async def _write(self, target: EtcdEngine, copied: Loaded) -> None:
        history = await self._single.history("", tree=True)
        try:
            await target.replace(copied.rows, copied.index, history)
        finally:
            if history is not None:
                history.close()

    async def _catch_up(self, target: EtcdEngine, recording: Recording, index: int) -> None:
        """Write what was committed meanwhile, until little is left."""
        for _ in range(MAX_ROUNDS):
            if await self._follow(target, recording, index) <= FEW_COMMITS:
                return

    async def _follow(self, target: EtcdEngine, recording: Recording, index: int) -> int:
        """Write what was recorded after an index; returns the number of commits."""
        if recording.is_void:
            raise EngineError("a snapshot was restored meanwhile")
        missing = [changeset for changeset in recording.take() if changeset.index > index]
        for batch in batches_of(missing, target.limits):
            await target.commit(batch)
        return len(missing)

    async def _undo(self) -> None:
        """Stop etcd and forget it: the state is in `state.db`."""
        if self._phase is not None:
            await self._phase.leadership.stop()
            if self._target is not None:
                await self._target.close()
            await self._phase.etcd.stop()
        shutil.rmtree(self._folder / FOLDER, ignore_errors=True)
        with suppress(EngineError):  # the next start forgets it, too
            self._file.store(Record())


def batches_of(changesets: Sequence[Changeset], limits: Limits) -> Iterator[list[Changeset]]:
    """Return changesets in batches that fit into one commit each; one with purged keys is the last of its batch."""
    batch: list[Changeset] = []
    rows = size_bytes = 0
    for changeset in changesets:
        more_rows, more_bytes = size_of(changeset)
        if batch and (rows + more_rows > limits.rows or size_bytes + more_bytes > limits.size_bytes):
            yield batch
            batch, rows, size_bytes = [], 0, 0
        batch.append(changeset)
        rows, size_bytes = rows + more_rows, size_bytes + more_bytes
        if changeset.purged:
            yield batch
            batch, rows, size_bytes = [], 0, 0
    if batch:
        yield batch


async def _until(condition: Callable[[], Awaitable[bool]], failure: str) -> None:
    """Wait for a condition.  Raises EngineError."""
    try:
        async with asyncio.timeout(START_S):
            while True:
                if await condition():
                    return
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise EngineError(f"{failure} within {START_S:g} s") from None


async def _answers(engine: EtcdEngine) -> bool:
    try:
        await engine.barrier()
    except EngineError:
        return False
    return True


async def _leads(phase: EtcdPhase) -> bool:
    return phase.leadership.leads
