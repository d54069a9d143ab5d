"""Counts the events of the LAN pool, under the names of Consul's metrics."""

from __future__ import annotations

from collections import Counter

from pyconsul.agent.gossip.membership import PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.model.member import MemberEvent

_NAMES = {
    MemberEvent.JOIN: "serf.member.join",
    MemberEvent.FAILED: "serf.member.failed",
    MemberEvent.LEAVE: "serf.member.left",
    MemberEvent.UPDATE: "serf.member.update",
    MemberEvent.REAP: "serf.member.reap",
}


class PoolCounters:
    """A listener of the pool; `counts` since the start, by the name of the metric."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def receive(self, event: PoolEvent) -> None:
        """Count an event."""
        if isinstance(event, MemberChanged):
            self.counts[_NAMES[event.event]] += 1
        elif isinstance(event, UserEventReceived):
            self.counts["serf.events"] += 1
