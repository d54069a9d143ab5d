"""The leader's next step with the members of its cluster: pure.

| members and servers | step |
| --- | --- |
| a learner whose server is alive | invites it, and promotes it once it has caught up |
| a learner whose server is not alive, or that was not promoted in time | removes it |
| no learner, and a server that is alive and no member | adds it, unless it was refused or removed a moment ago |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.cluster.etcd.contract import ClusterMember


class Add(msgspec.Struct, frozen=True):
    """Add a server as a learner."""

    node_id: str


class Promote(msgspec.Struct, frozen=True):
    """Invite a learner, and promote it once it has caught up."""

    member: ClusterMember


class TakeOut(msgspec.Struct, frozen=True):
    """Remove a learner that does not start."""

    member: ClusterMember


Step: TypeAlias = Add | Promote | TakeOut


def next_step(
    members: Sequence[ClusterMember], alive: Sequence[str], late: Collection[int], excluded: Collection[str]
) -> Step | None:
    """Return the next step.

    alive: node IDs of the servers that are alive.  late: numbers of learners whose time is over.
    excluded: node IDs of servers that are not added now.
    """
    for member in members:
        if member.is_learner:
            is_lost = member.node_id not in alive or member.id in late
            return TakeOut(member) if is_lost else Promote(member)
    known = {member.node_id for member in members}
    for node_id in sorted(alive):
        if node_id not in known and node_id not in excluded:
            return Add(node_id)
    return None
