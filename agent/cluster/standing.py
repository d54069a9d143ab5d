"""The place of a server in its datacenter: what it answers itself, and how fresh its state is."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from pyconsul.agent.cluster.cluster import ServerCluster
from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Scope
from pyconsul.agent.state.store import Store

INSTALL_S = 5.0  # that a barrier waits until its index is installed

log = logging.getLogger("agent.cluster")


class ClusterStanding:
    """The standing of a server; see `httpapi.core.forwarding.standing.Standing`."""

    def __init__(self, cluster: ServerCluster, store: Store, follower: Follower) -> None:
        self._cluster = cluster
        self._barrier = SharedBarrier(cluster.engine, store, follower)

    @property
    def always_current(self) -> bool:
        """Return whether no other server writes."""
        return self._cluster.is_alone

    @property
    def knows_leader(self) -> bool:
        """Return whether a server leads, as far as this one knows."""
        return self._cluster.knows_leader

    @property
    def last_contact_ms(self) -> int:
        """Milliseconds since etcd last had a leader; 0 while it has one."""
        return self._cluster.last_contact_ms

    @property
    def has_state(self) -> bool:
        """Return whether the state was read since the start."""
        return self._cluster.engine.has_state

    def serves(self, scope: Scope) -> bool:
        """Return whether this server answers requests of a scope itself: reads always, writes while it leads."""
        return scope != "write" or self._cluster.leadership.leads

    def barrier(self) -> asyncio.Future[None] | None:
        """Return what ends as soon as the state has every write acknowledged before; it may be awaited by many."""
        return None if self._cluster.is_alone else self._barrier.reach()


class _Shared(asyncio.Future[None]):
    """A future of many waiters: one that is canceled does not cancel it for the others."""

    def cancel(self, msg: Any = None) -> bool:
        """Do nothing; the waiter is canceled when the future is done."""
        return False


class SharedBarrier:
    """A barrier of the engine and the installation of its index, shared by all requests that wait at that moment."""

    def __init__(self, engine: Engine, store: Store, follower: Follower) -> None:
        self._engine, self._store, self._follower = engine, store, follower
        self._next: _Shared | None = None  # of the callers that wait for the next one
        self._running: asyncio.Task[None] | None = None

    def reach(self) -> asyncio.Future[None]:
        """Return the future of a barrier that begins after this call."""
        if self._next is None:
            self._next = _Shared()
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())
        return self._next

    async def _run(self) -> None:
        while self._next is not None:
            waiting, self._next = self._next, None
            try:
                await self._follower.reach(await self._engine.barrier(), INSTALL_S)
            except EngineError as error:
                log.debug("a barrier has failed: %s", error)
                waiting.set_exception(EngineError(NO_LEADER))
                waiting.exception()  # marks it as retrieved: the callers may be gone
            except BaseException as error:
                waiting.set_exception(EngineError(str(error)))
                waiting.exception()
                raise
            else:
                waiting.set_result(None)
