"""Keeps the databases of the etcd members small, and lets etcd write again after it ran out of its quota.

The server whose etcd member leads does this, since no server can take the leadership while etcd is full.

| seen | action |
| --- | --- |
| the alarm NOSPACE | forget old revisions, give the space of every member back to its disk, clear the alarm |
| much free space in a database | give it back, one member a minute: the member does not answer meanwhile |
| a database near its quota | a warning in the log |
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.etcd.contract import Status
from pyconsul.agent.cluster.messages import Defragmentation, Reply
from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.engine.contract import EngineError

if TYPE_CHECKING:
    from pyconsul.agent.cluster.cluster import ServerCluster
    from pyconsul.agent.cluster.etcd.local import LocalEtcd

PERIOD_S = 60.0
ALARM_S = 5.0  # between two looks at the alarms
MIN_FREE_BYTES = 64 << 20  # in a database, and half of it, before it is made smaller
NEAR_QUOTA = 0.8
DEFRAGMENT_S = 60.0  # that it may take
REPEAT_S = 3600.0  # before the same warning is logged again

log = logging.getLogger("agent.etcd")


def has_much_free(status: Status) -> bool:
    """Return whether at least half of a database is free space, and not little."""
    free = status.size_bytes - status.used_bytes
    return free >= MIN_FREE_BYTES and 2 * free >= status.size_bytes


class Upkeep(TaskDuty):
    """Looks after the databases while the etcd member of this server leads."""

    def __init__(self, cluster: ServerCluster, colleagues: Colleagues) -> None:
        self._cluster, self._colleagues = cluster, colleagues
        self._warned_s = -REPEAT_S
        self._next_s = 0.0  # loop time of the next member
        self._last = ""  # node ID of the member that was looked after last

    async def run(self) -> None:
        """Look after the databases, until it is cancelled."""
        while True:
            await asyncio.sleep(ALARM_S)
            phase = self._cluster.phase
            local = None if phase is None else phase.local
            try:
                if local is not None:
                    await self.look(local)
            except EngineError as error:
                log.debug("cannot look after the databases of etcd: %s", error)
            except Exception:
                log.exception("cannot look after the databases of etcd")

    async def look(self, local: LocalEtcd) -> None:
        """Do what is needed now.  Raises EngineError."""
        status = await local.status()
        self._warn(status)
        if status.leader != status.number:
            return
        if full := await local.full_members():
            await self._free_space(local, full)
            return
        now = asyncio.get_running_loop().time()
        if now >= self._next_s:
            self._next_s = now + PERIOD_S
            await self._look_after_next(local)

    def _warn(self, status: Status) -> None:
        quota, now = self._cluster.settings.member.quota_backend_bytes, asyncio.get_running_loop().time()
        if status.used_bytes > NEAR_QUOTA * quota and now - self._warned_s >= REPEAT_S:
            self._warned_s = now
            log.warning(
                "the state takes %d of the %d MiB that etcd may use: nothing can be written beyond that; delete keys",
                status.used_bytes >> 20, quota >> 20,
            )  # fmt: skip

    async def _free_space(self, local: LocalEtcd, full: list[int]) -> None:
        log.warning("etcd has run out of its quota and refuses writes: freeing space")
        await local.compact()
        for member in await local.members.list():
            await self._defragment(local, member.node_id, even_if_small=True)
        for number in full:
            await local.clear_alarm(number)
        log.warning("etcd accepts writes again")

    async def _look_after_next(self, local: LocalEtcd) -> None:
        """Make the database of the next member smaller, if it has much free space."""
        ids = sorted(member.node_id for member in await local.members.list())
        self._last = next((node_id for node_id in ids if node_id > self._last), ids[0])
        await self._defragment(local, self._last)

    async def _defragment(self, local: LocalEtcd, node_id: str, *, even_if_small: bool = False) -> None:
        if node_id == self._cluster.own.node_id:
            await defragment(local, even_if_small=even_if_small)
            return
        try:
            await self._colleagues.ask(node_id, Defragmentation(even_if_small), Reply, DEFRAGMENT_S)
        except NoAnswer as error:
            log.info("server %s has not made its database smaller: %s", node_id, error)


async def defragment(local: LocalEtcd, *, even_if_small: bool) -> None:
    """Give the free space of the own database back to the disk.  Raises EngineError."""
    before = await local.status()
    if not even_if_small and not has_much_free(before):
        return
    await local.defragment(DEFRAGMENT_S)
    after = await local.status()
    log.info("made the database of etcd smaller: %d MiB, was %d", after.size_bytes >> 20, before.size_bytes >> 20)
