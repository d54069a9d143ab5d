"""A server in its cluster: the etcd, the engine over it, and the competition for the leadership."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from pyconsul.agent.cluster.etcd.local import LocalEtcd
from pyconsul.agent.cluster.etcd.remote import RemoteEtcd
from pyconsul.agent.cluster.leading.leadership import EtcdLeadership
from pyconsul.agent.cluster.leading.phased import NoCluster, PhasedLeadership
from pyconsul.agent.cluster.settings import FRESH_S
from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.engine.switchable import SwitchableEngine

RETRY_S = 0.1
PROBE_S = 0.5
NAMED_S = 60.0  # without a quorum, until the log names the command for a lost majority

log = logging.getLogger("agent.cluster")


class EtcdPhase:
    """From the start of the etcd of this server until its stop."""

    def __init__(
        self,
        etcd: LocalEtcd | RemoteEtcd,
        node_id: str,
        engine: SwitchableEngine,
        leadership: PhasedLeadership,
        removed: Callable[[], None],
    ) -> None:
        """removed: called once when the own member has ended since the cluster has removed it."""
        self.etcd, self._removed = etcd, removed
        self._engine, self._phased = engine, leadership
        self.leadership = EtcdLeadership(etcd.client, etcd.prefix, node_id, member_leads=etcd.leads)
        self._contact_s: float | None = None  # loop time at which etcd last had a leader
        self._quorum_s = 0.0  # loop time since which it has had one, but for elections
        self._has_leader = False  # at the last look
        self._tasks: list[asyncio.Task[None]] = []
        self._now = asyncio.get_running_loop().time  # asking for the loop is a system call each time
        self.leadership.subscribe(self._note_leadership)

    @property
    def local(self) -> LocalEtcd | None:
        """The etcd member of this server; None with an external etcd."""
        return self.etcd if isinstance(self.etcd, LocalEtcd) else None

    @property
    def silence_s(self) -> float | None:
        """Seconds since etcd last had a leader; None: never."""
        return None if self._contact_s is None else self._now() - self._contact_s

    @property
    def had_quorum(self) -> bool:
        """Return whether etcd has had a leader a moment ago; it may be electing another one."""
        silence_s = self.silence_s
        return silence_s is not None and silence_s < FRESH_S

    @property
    def has_quorum(self) -> bool:
        """Return whether etcd has had a leader just now."""
        return self._has_leader and self.had_quorum

    @property
    def served_s(self) -> float:
        """Seconds for which etcd has had a leader, but for elections; 0 without one."""
        return self._now() - self._quorum_s if self.had_quorum else 0.0

    @property
    def knows_leader(self) -> bool:
        """Return whether a server leads, as far as this one knows."""
        return self.has_quorum and bool(self.leadership.leader)

    @property
    def term(self) -> int:
        """The term of Raft that a response was last from."""
        return self.etcd.client.raft_term

    async def begin(self, connected: Callable[[], None]) -> None:
        """Use etcd as soon as it has a quorum; `connected` is called then."""

        async def run() -> None:
            engine = await self._reach()
            self._note_leader()
            self._engine.switch(engine)
            connected()
            await self.leadership.start()
            self._phased.use(self.leadership)

        self._tasks = [_supervised(run()), _supervised(self._probe())]

    def take_over(self, engine: Engine) -> None:
        """Use an engine that holds the present state; no write is on its way (see `SwitchableEngine.held`)."""
        self._engine.switch(engine, same_state=True)
        self._note_leader()
        self._tasks = [_supervised(self._probe())]

    async def stop(self) -> None:
        """Give the leadership up, and end everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.leadership.stop()
        self._phased.use(NoCluster())
        engine = self._engine.current
        self._engine.switch(None)
        if engine is not None:
            await engine.close()
        await self.etcd.stop()

    async def _reach(self) -> Engine:
        """Return an engine as soon as etcd answers with a quorum."""
        engine, logged = self.etcd.engine(self._engine.retention), ""
        try:
            while True:
                try:
                    await engine.barrier()
                except EngineError as error:
                    is_news = self.local is None and str(error) != logged  # an own member may take its time
                    log.log(logging.WARNING if is_news else logging.DEBUG, "etcd does not answer yet: %s", error)
                    logged = str(error)
                    await asyncio.sleep(RETRY_S)
                else:
                    return engine
        except BaseException:
            await engine.close()
            raise

    def _note_leadership(self) -> None:
        """This server leads now: etcd has just confirmed that, with a quorum."""
        if self.leadership.leads:
            self._note_leader()

    def _note_leader(self) -> None:
        """Etcd has just answered with a quorum."""
        now = self._now()
        if not self.had_quorum:
            self._quorum_s = now
        self._has_leader, self._contact_s = True, now

    async def _probe(self) -> None:
        """Keep `silence_s` up to date, and say in the log when a quorum is missing for long."""
        loop = asyncio.get_running_loop()
        since = named = loop.time()
        while True:
            try:
                has_leader = await self.etcd.has_leader()
            except EngineError as error:
                log.debug("etcd does not answer: %s", error)
                has_leader = False
            if self.local is not None and self.local.is_removed:
                self._has_leader = False
                self._removed()
                return
            now, self._has_leader = loop.time(), has_leader
            if has_leader:
                self._note_leader()
                since = named = now
            elif now - named >= NAMED_S:
                named = now
                log.warning("etcd has had no quorum for %d s: nothing can be written. %s", now - since, self._advice())
            await asyncio.sleep(PROBE_S)

    def _advice(self) -> str:
        if self.local is None:
            return "It goes on by itself as soon as most members of the etcd in etcd { endpoints } answer."
        return (
            "It goes on by itself as soon as most servers of the cluster are back. If most of their disks are lost, run:"
            " pyconsul operator recover"
        )


def _supervised(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Return a task whose failure is logged."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.critical("this server does not take part in its cluster any more: %s", error, exc_info=error)
