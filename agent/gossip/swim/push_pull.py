"""Push/pulls, which mend what gossip missed: when they happen and with whom, and which peers they are refused to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyconsul.agent.gossip.swim.effects import ExchangeState, Outbox
from pyconsul.agent.gossip.swim.formulas import push_pull_interval_s
from pyconsul.agent.gossip.swim.member import Member, MemberState, invalid_reason
from pyconsul.agent.gossip.swim.member_table import MemberTable, Rng
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.messages import STATE_ALIVE, PushPullNode

_NAMES = ("protocol", "delegate protocol")
CATCH_UP_DELAY_S = 0.2  # earliest push/pull after members joined; up to twice that, at random
CATCH_UP_GROWTH = 0.1  # share of the members that must have joined since the last one


class PushPullSchedule:
    """Starts push/pulls with random members.

    Regularly: every push/pull interval, the first one a random part of an interval later (memberlist). Own addition: while many
    members join, one soon after. A broadcast is sent as often as the few members known at that time ask for, so a burst of joins
    would otherwise become known to all only with the next regular push/pull (TARGETS: 4–107 s).
    """

    __slots__ = ("_joined", "_outbox", "_rng", "_settings", "_table", "deadline")

    def __init__(self, settings: SwimSettings, table: MemberTable, outbox: Outbox, rng: Rng, now: float) -> None:
        self._settings, self._table, self._outbox, self._rng = settings, table, outbox, rng
        self._joined = 0  # members that joined since the last push/pull
        self.deadline = now + settings.push_pull_interval_s * (1 + rng.random())

    def member_joined(self, now: float) -> None:
        self._joined += 1
        if self._settings.catch_up and self._joined > 1 + CATCH_UP_GROWTH * len(self._table):
            self.deadline = min(self.deadline, now + CATCH_UP_DELAY_S * (1 + self._rng.random()))

    def start(self, local_name: str, now: float) -> None:
        """Start a push/pull with a random alive member, if there is one, and schedule the next one."""
        self._joined = 0
        self.deadline = now + push_pull_interval_s(self._settings.push_pull_interval_s, len(self._table))
        for member in self._table.random_members(
            1, lambda member: member.state is MemberState.ALIVE and member.name != local_name
        ):
            self._outbox.effects.append(ExchangeState(member, join=False))


class MergeRefused(ValueError):
    """A push/pull must not be merged; the message gives the reason."""


def check_nodes(nodes: Sequence[PushPullNode]) -> None:
    """Raise MergeRefused if one of the members of a joining peer could not be a member at all."""
    for node in nodes:
        reason = invalid_reason(node.name, node.ip, node.meta, node.versions)
        if reason:
            raise MergeRefused(f"member {node.name!r} is invalid: {reason}")


def check_protocols(local: Iterable[Member], remote: Sequence[PushPullNode]) -> None:
    """Raise MergeRefused unless max of minima ≤ each current ≤ min of maxima, over the alive members of both sides.

    Source: memberlist's `verifyProtocol` (PROTOCOL, section 4.6).
    """
    members = {node.name: node.versions for node in remote if node.state == STATE_ALIVE and len(node.versions) == 6}
    members.update((member.name, member.versions) for member in local if member.state is MemberState.ALIVE)
    if not members or (len(set(members.values())) == 1 and _is_consistent(next(iter(members.values())))):
        return
    for offset, kind in ((0, _NAMES[0]), (3, _NAMES[1])):
        low = max(versions[offset] for versions in members.values())
        high = min(versions[offset + 1] for versions in members.values())
        for name, versions in members.items():
            if not low <= versions[offset + 2] <= high:
                raise MergeRefused(f"member {name} speaks {kind} version {versions[offset + 2]}, outside {low}..{high}")


def _is_consistent(versions: bytes) -> bool:
    return versions[0] <= versions[2] <= versions[1] and versions[3] <= versions[5] <= versions[4]
