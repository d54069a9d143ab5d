"""The place of a server in its datacenter: what it answers itself, and how fresh its state is."""

from __future__ import annotations

import asyncio

from pyconsul.agent.cluster.cluster import ServerCluster
from pyconsul.agent.engine.barrier import ReadBarrier
from pyconsul.agent.engine.contract import Passed
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.state.store import Store


class ClusterStanding:
    """The standing of a server; see `httpapi.core.forwarding.standing.Standing`."""

    def __init__(self, cluster: ServerCluster, store: Store, follower: Follower) -> None:
        self._cluster = cluster
        self._barrier = ReadBarrier(cluster.engine, store, follower)

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
        """Return whether this server answers requests of a scope itself: writes while it leads, reads while it has a quorum."""
        if scope == "write":
            return self._cluster.leadership.leads
        return scope != "read" or self._cluster.reads

    def barrier(self) -> asyncio.Future[None] | None:
        """Return a future that ends as soon as the state has every write acknowledged before; None while the server is alone."""
        return None if self._cluster.is_alone else self._barrier.reach()

    def after_barrier(self, passed: Passed) -> None:
        """Call back when the state has every write acknowledged before, or with the reason why it may lack some."""
        if self._cluster.is_alone:
            asyncio.get_running_loop().call_soon(passed, None)
        else:
            self._barrier.enter(passed)
