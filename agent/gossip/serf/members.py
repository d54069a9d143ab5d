"""The members of a pool and their statuses, decided by the membership protocol (up, down) and by intents (join, leave).

The membership protocol alone cannot tell a member that left from one that failed: it declares both dead. So a member broadcasts
its intent to leave first. Intents carry Lamport times; of a member, the newest one counts.

Transitions (status × input → status, event); "–" = ignored, "same" = only the status time moves:

| status  | up             | down         | join intent | leave intent |
| ------- | -------------- | ------------ | ----------- | ------------ |
| unknown | alive, join *  | –            | remembered  | remembered   |
| alive   | alive, join    | failed, failed | same      | leaving      |
| leaving | alive, join    | left, leave  | alive       | same         |
| left    | alive, join    | –            | same        | same         |
| failed  | alive, join    | –            | same        | left, leave  |

* or leaving, if a leave intent was remembered.

Rules besides:
  1. An intent at or below the status time of its member is ignored; an accepted one sets the status time and is rebroadcast.
  2. A leave intent about this agent while it is not leaving is ignored and refuted by a join intent with the current time.
  3. Intents about unknown members are remembered for 5 minutes, the newest one of each name.
  4. `prune` in an accepted leave intent erases the member: at once, or, if it was only leaving, after the time in which it would
     refute (broadcast timeout + leave propagate delay), unless it has refuted.
  5. Failed members are erased after the reconnect timeout, left ones after the tombstone timeout (`reap`).

Source: Serf's behavior (PROTOCOL, sections 8.2, 8.7, 8.9).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

import msgspec

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.gossip.serf.addresses import ip_text
from pyconsul.agent.gossip.serf.effects import Effects, LogLine, MemberChanged
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_payloads import decode_tags
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus

MAX_RECENT_INTENTS = 4096  # own bound: intents about members that nobody ever sees

ALIVE, LEAVING, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED


class Input(Enum):
    """The inputs that change the status of a known member."""

    UP = "up"
    DOWN = "down"
    JOIN_INTENT = "join intent"
    LEAVE_INTENT = "leave intent"


_TRANSITIONS: dict[tuple[MemberStatus, Input], tuple[MemberStatus, MemberEvent | None]] = {
    (ALIVE, Input.UP): (ALIVE, MemberEvent.JOIN),
    (ALIVE, Input.DOWN): (FAILED, MemberEvent.FAILED),
    (ALIVE, Input.JOIN_INTENT): (ALIVE, None),
    (ALIVE, Input.LEAVE_INTENT): (LEAVING, None),
    (LEAVING, Input.UP): (ALIVE, MemberEvent.JOIN),
    (LEAVING, Input.DOWN): (LEFT, MemberEvent.LEAVE),
    (LEAVING, Input.JOIN_INTENT): (ALIVE, None),
    (LEAVING, Input.LEAVE_INTENT): (LEAVING, None),
    (LEFT, Input.UP): (ALIVE, MemberEvent.JOIN),
    (LEFT, Input.JOIN_INTENT): (LEFT, None),
    (LEFT, Input.LEAVE_INTENT): (LEFT, None),
    (FAILED, Input.UP): (ALIVE, MemberEvent.JOIN),
    (FAILED, Input.JOIN_INTENT): (FAILED, None),
    (FAILED, Input.LEAVE_INTENT): (LEFT, MemberEvent.LEAVE),
}


class Node(Protocol):
    """A node as the membership protocol knows it."""

    @property
    def name(self) -> str: ...
    @property
    def ip(self) -> bytes: ...
    @property
    def port(self) -> int: ...
    @property
    def meta(self) -> bytes: ...
    @property
    def versions(self) -> bytes: ...


class IntentOutcome(msgspec.Struct, frozen=True):
    """The result of an intent: rebroadcast it or not, refute it or not, and the events that it caused."""

    rebroadcast: bool = False
    refute: bool = False
    changes: tuple[MemberChanged, ...] = ()


IGNORED = IntentOutcome()


class _Record:
    """A member, the Lamport time of its status, and since when it is gone."""

    __slots__ = ("gone_at", "member", "status_time")

    def __init__(self, member: Member, status_time: int) -> None:
        self.member = member
        self.status_time = status_time
        self.gone_at: float | None = None


class _RecentIntent:
    """The newest intent about an unknown member."""

    __slots__ = ("at", "is_leave", "time")

    def __init__(self, time: int, *, is_leave: bool, at: float) -> None:
        self.time, self.is_leave, self.at = time, is_leave, at


class MemberTable:
    """All members of the pool by name, this agent included. `now` is in seconds, of any clock that does not jump."""

    def __init__(self, settings: SerfSettings) -> None:
        self._settings = settings
        self._records: dict[str, _Record] = {}
        self._intents: dict[str, _RecentIntent] = {}
        self._prunes: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Member]:
        return (record.member for record in self._records.values())

    def get(self, name: str) -> Member | None:
        """Return a member by name."""
        record = self._records.get(name)
        return record.member if record else None

    def with_status(self, *statuses: MemberStatus) -> list[Member]:
        """Return the members with one of the statuses."""
        return [record.member for record in self._records.values() if record.member.status in statuses]

    def status_times(self) -> dict[str, int]:
        """Return the Lamport time of each member's status."""
        return {name: record.status_time for name, record in self._records.items()}

    def push_pull_state(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """Return the status times, and the names on the list of left members, for the peer of a push/pull.

        The peer takes a member on the list for leaving or left since one after its status time, any other one for alive. Serf does
        not list members that are leaving, so that a peer takes the time of a leave intent that it has not received yet for that of
        a join, ignores the intent, and sees a failure. Here they are listed, with the time that makes it the very intent.
        """
        times, left = {}, []
        for name, record in self._records.items():
            status = record.member.status
            times[name] = record.status_time - (status is LEAVING)
            if status is LEAVING or status is LEFT:
                left.append(name)
        return times, tuple(left)

    def node_up(self, member: Member, now: float) -> MemberChanged:
        """The membership protocol found a node alive that was unknown or gone."""
        name = member.name
        record = self._records.get(name)
        if record is not None:
            record.member, record.gone_at = msgspec.structs.replace(member, status=ALIVE), None
            self._prunes.pop(name, None)
            return MemberChanged(MemberEvent.JOIN, record.member)
        record = self._records[name] = _Record(msgspec.structs.replace(member, status=ALIVE), 0)
        intent = self._intents.pop(name, None)
        if intent is not None and now - intent.at <= self._settings.recent_intent_timeout_s:
            record.status_time = intent.time
            if intent.is_leave:
                record.member = msgspec.structs.replace(member, status=LEAVING)
        return MemberChanged(MemberEvent.JOIN, record.member)

    def node_updated(self, member: Member) -> MemberChanged | None:
        """The address, tags or versions of a node changed."""
        record = self._records.get(member.name)
        if record is None:
            return None
        record.member = msgspec.structs.replace(member, status=record.member.status)
        return MemberChanged(MemberEvent.UPDATE, record.member)

    def node_down(self, name: str, now: float) -> MemberChanged | None:
        """The membership protocol declared a node dead, whether it failed or left."""
        record = self._records.get(name)
        return self._apply(record, Input.DOWN, now) if record else None

    def join_intent(self, name: str, time: int, now: float) -> IntentOutcome:
        """A member declared that it is in the pool."""
        record = self._records.get(name)
        if record is None:
            return IntentOutcome(rebroadcast=self._remember(name, time, is_leave=False, now=now))
        if time <= record.status_time:
            return IGNORED
        record.status_time = time
        self._apply(record, Input.JOIN_INTENT, now)
        return IntentOutcome(rebroadcast=True)

    def leave_intent(self, name: str, time: int, now: float, *, prune: bool, is_leaving: bool) -> IntentOutcome:
        """A member declared that it leaves, or an operator declared it for a failed one. `is_leaving`: this agent leaves."""
        record = self._records.get(name)
        if record is None:
            return IntentOutcome(rebroadcast=self._remember(name, time, is_leave=True, now=now))
        if time <= record.status_time:
            return IGNORED
        if name == self._settings.node_name and not is_leaving:
            return IntentOutcome(refute=True)
        record.status_time = time
        change = self._apply(record, Input.LEAVE_INTENT, now)
        changes = (change,) if change else ()
        if prune and record.member.status is LEAVING:
            self._prunes[name] = now + self._settings.broadcast_timeout_s + self._settings.leave_propagate_delay_s
        elif prune:
            changes = (*changes, self._erase(name, now))
        return IntentOutcome(rebroadcast=True, changes=changes)

    def reap(self, now: float) -> list[MemberChanged]:
        """Erase the members that are gone for too long, and forget old intents."""
        settings = self._settings
        for name in [name for name, it in self._intents.items() if now - it.at > settings.recent_intent_timeout_s]:
            del self._intents[name]
        return [self._erase(name, now) for name, record in list(self._records.items()) if self._is_due(record, now)]

    def prune(self, now: float) -> list[MemberChanged]:
        """Erase the members whose pruning is due."""
        return [self._erase(name, now) for name in [name for name, at in self._prunes.items() if at <= now]]

    def next_prune(self) -> float:
        """Return when the next pruning is due; infinite: never."""
        return min(self._prunes.values()) if self._prunes else math.inf

    def _is_due(self, record: _Record, now: float) -> bool:
        if record.gone_at is None:
            return False
        failed = record.member.status is FAILED
        timeout_s = self._settings.reconnect_timeout_s if failed else self._settings.tombstone_timeout_s
        return now - record.gone_at > _own_timeout_s(record.member, self._settings.reconnect_timeout_tag, timeout_s)

    def _apply(self, record: _Record, given: Input, now: float) -> MemberChanged | None:
        status, event = _TRANSITIONS.get((record.member.status, given), (record.member.status, None))
        if status is not record.member.status:
            record.member = msgspec.structs.replace(record.member, status=status)
            if status in (LEFT, FAILED):
                record.gone_at = now
            elif status is ALIVE:
                self._prunes.pop(record.member.name, None)
        return MemberChanged(event, record.member) if event else None

    def _erase(self, name: str, now: float) -> MemberChanged:
        """Erase a member; its status time is remembered like that of an intent, so that older intents are no news."""
        self._prunes.pop(name, None)
        record = self._records.pop(name)
        self._remember(name, record.status_time, is_leave=False, now=now)
        return MemberChanged(MemberEvent.REAP, record.member)

    def _remember(self, name: str, time: int, *, is_leave: bool, now: float) -> bool:
        """Keep the newest intent about an unknown member; True if this is one."""
        known = self._intents.pop(name, None)
        if known is not None and time <= known.time:
            self._intents[name] = known
            return False
        if len(self._intents) >= MAX_RECENT_INTENTS:
            del self._intents[next(iter(self._intents))]
        self._intents[name] = _RecentIntent(time, is_leave=is_leave, at=now)
        return True


def member_of(node: Node) -> tuple[Member, Effects]:
    """Return a node as a member, and warnings about what cannot be read of it."""
    warnings: list[LogLine] = []
    try:
        # Most tags are the same for all members, so that sharing their texts halves the memory of a member.
        tags = {sys.intern(name): sys.intern(value) for name, value in decode_tags(node.meta).items()}
    except DecodeError as error:
        tags = {}
        warnings.append(LogLine("member-tags", f"cannot read the tags of {node.name!r}: {error}"))
    if len(node.ip) not in (4, 16):
        warnings.append(LogLine("member-address", f"invalid address of {node.name!r}: {len(node.ip)} bytes"))
    versions = node.versions if len(node.versions) == 6 else bytes(6)
    return Member(node.name, ip_text(node.ip), node.port, tags, ALIVE, *versions), warnings


def _own_timeout_s(member: Member, tag: str, default_s: float) -> float:
    """Return the timeout that a member's tag asks for."""
    text = member.tags.get(tag) if tag else None
    if text is None:
        return default_s
    try:
        timeout_s = parse_go_duration_s(text)
    except ValueError:
        return default_s
    return timeout_s if timeout_s > 0 else default_s
