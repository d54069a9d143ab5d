"""The leader's next step with the members of its cluster: pure.

| members and servers | step |
| --- | --- |
| a learner whose server has not been alive for `server_stabilization_time` | invites it |
| a learner whose server has been alive for that long | invites it, and promotes it once it has caught up |
| a learner whose server is not alive, or that was not promoted in time | removes it |
| no learner, and a server that is alive and no member | adds it, unless it was refused or removed a moment ago |
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.cluster.etcd.contract import ClusterMember


class Add(msgspec.Struct, frozen=True):
    """Add a server as a learner."""

    node_id: str


class Invite(msgspec.Struct, frozen=True):
    """Invite a learner; it gets its vote later."""

    member: ClusterMember


class Promote(msgspec.Struct, frozen=True):
    """Invite a learner, and promote it once it has caught up."""

    member: ClusterMember


class TakeOut(msgspec.Struct, frozen=True):
    """Remove a learner that does not start."""

    member: ClusterMember


Step: TypeAlias = Add | Invite | Promote | TakeOut


class AliveSince:
    """Remembers since when each server has been alive without a break, as far as this leader has seen."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # node ID -> seconds

    def note(self, alive: Iterable[str], now: float) -> None:
        """Take the node IDs of the servers that are alive."""
        self._since = {node_id: self._since.get(node_id, now) for node_id in alive}

    def for_at_least(self, seconds: float, now: float) -> set[str]:
        """Return the node IDs of those that have been alive for so long."""
        return {node_id for node_id, since in self._since.items() if now - since >= seconds}


def next_step(
    members: Sequence[ClusterMember],
    alive: Sequence[str],
    stable: Collection[str],
    late: Collection[int],
    excluded: Collection[str],
) -> Step | None:
    """Return the next step.

    alive: node IDs of the servers that are alive.  stable: those that have been for `server_stabilization_time`.
    late: numbers of learners whose time is over.  excluded: node IDs of servers that are not added now.
    """
    for member in members:
        if member.is_learner:
            if member.node_id not in alive or member.id in late:
                return TakeOut(member)
            return Promote(member) if member.node_id in stable else Invite(member)
    known = {member.node_id for member in members}
    waiting = [node_id for node_id in alive if node_id not in known and node_id not in excluded]
    # etcd takes one learner at a time: one that has to wait for its vote must not keep another one out.
    waiting.sort(key=lambda node_id: (node_id not in stable, node_id))
    return Add(waiting[0]) if waiting else None
