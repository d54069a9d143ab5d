"""One leadership for the whole life of a server: alone, without a cluster, and in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pyconsul.agent.duties.contract import Leadership


class KnownLeader(Leadership, Protocol):
    """A leadership that knows who leads."""

    @property
    def leader(self) -> str:
        """The node ID of the server that leads; "" for none."""


class Alone:
    """The leadership of a server that has a state and no other server."""

    leads = True

    def __init__(self, node_id: str) -> None:
        self.leader = node_id

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Never call the listener."""


class NoCluster:
    """The leadership of a server without a state, which learns from the others who leads; see `leader_search`."""

    leads = False

    def __init__(self) -> None:
        self.leader = ""
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Call a listener on the event loop whenever `leader` has changed."""
        self._listeners.append(listener)

    def learn(self, leader: str) -> None:
        """Take the node ID of the server that leads; "" for none."""
        if leader != self.leader:
            self.leader = leader
            for listener in list(self._listeners):
                listener()


class PhasedLeadership:
    """Stands for the leadership of the present phase."""

    def __init__(self) -> None:
        self._phase: KnownLeader = NoCluster()
        self._listeners: list[Callable[[], None]] = []

    @property
    def leads(self) -> bool:
        """Return whether this server leads now."""
        return self._phase.leads

    @property
    def leader(self) -> str:
        """The node ID of the server that leads; "" for none."""
        return self._phase.leader

    @property
    def outside(self) -> NoCluster | None:
        """The leadership while this server has no state."""
        return self._phase if isinstance(self._phase, NoCluster) else None

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Call a listener on the event loop whenever `leads` or `leader` has changed."""
        self._listeners.append(listener)

    def use(self, phase: KnownLeader) -> None:
        """Take another leadership from now on."""
        before = self.leads, self.leader
        self._phase = phase
        phase.subscribe(lambda: self._changed(phase))
        if before != (self.leads, self.leader):
            self._notify()

    def _changed(self, phase: KnownLeader) -> None:
        if phase is self._phase:
            self._notify()

    def _notify(self) -> None:
        for listener in list(self._listeners):
            listener()
