"""The membership of one node: applies alive, suspect and dead messages by the rules of `rules.py`, and refutes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Protocol

import msgspec

from pyconsul.agent.gossip.swim.contacts import Contacts
from pyconsul.agent.gossip.swim.effects import (
    LeaveFinished,
    LogLine,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    Outbox,
)
from pyconsul.agent.gossip.swim.lifeguard import Awareness, Suspicion
from pyconsul.agent.gossip.swim.member import MAX_META_SIZE, Member, MemberState, invalid_reason, normal_ip
from pyconsul.agent.gossip.swim.member_table import MemberTable
from pyconsul.agent.gossip.swim.packets import LEAVE_TOKEN, PacketSender, Queue
from pyconsul.agent.gossip.swim.rules import INCARNATION_LIMIT, MAX_INCARNATION, Claim, next_state
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.messages import (
    STATE_ALIVE,
    STATE_LEFT,
    STATE_SUSPECT,
    Address,
    Alive,
    Dead,
    PushPullNode,
    Suspect,
)

MAX_MEMBERS = 1 << 18  # own limit; as many fit into a push/pull
_ALIVE, _SUSPECT, _DEAD, _LEFT = MemberState


class Admission(Protocol):
    """Decides which nodes may be members; the delegate's merge checks."""

    def refuse(self, node: Member) -> str:
        """Return why a node may not be a member; "" to admit it."""

    def refuse_merge(self, nodes: tuple[PushPullNode, ...]) -> str:
        """Return why the pool of a joining peer may not be merged with this one; "" to admit it."""

    def is_same(self, known: Member, node: Member) -> bool:
        """Return whether a node with the name of a member, but another address, is certainly the same one."""


class AdmitAll:
    """Admits every node."""

    def refuse(self, node: Member) -> str:
        return ""

    def refuse_merge(self, nodes: tuple[PushPullNode, ...]) -> str:
        return ""

    def is_same(self, known: Member, node: Member) -> bool:
        return False


class Membership:
    """Owns the table of members, the suspicions and the local node's record."""

    __slots__ = (
        "_admission",
        "_contacts",
        "_count",
        "_outbox",
        "_sender",
        "_settings",
        "_suspicion_ends",
        "awareness",
        "deadline",
        "is_leaving",
        "local",
        "suspicions",
        "table",
    )

    def __init__(
        self,
        settings: SwimSettings,
        local: Member,
        table: MemberTable,
        sender: PacketSender,
        outbox: Outbox,
        admission: Admission,
        contacts: Contacts,
    ) -> None:
        self._settings, self._sender, self._outbox, self._admission = settings, sender, outbox, admission
        self._contacts = contacts
        self.local = local
        self.table = table
        self.awareness = Awareness(settings.awareness_max)
        self.is_leaving = False
        self.suspicions: dict[str, Suspicion] = {}
        self._suspicion_ends: list[tuple[float, int, str]] = []  # heap; entries may be outdated
        self.deadline = float("inf")  # when the next suspicion may end, in seconds
        self._count = 0  # of entries ever pushed, so that names are never compared

    def alive(self, message: Alive, now: float) -> None:
        name = message.node
        is_local = name == self.local.name
        address = Address(normal_ip(message.ip), message.port or self.local.address.port)
        known = self.table.get(name)
        if known is not None and address == known.address and message.incarnation <= known.incarnation and not is_local:
            return  # old news, the most frequent case
        if is_local and self.is_leaving:
            return
        node = Member(name, address, message.meta, message.versions, message.incarnation, _ALIVE, now)
        reason = self._invalid(node, known) or self._admission.refuse(node)
        if reason:
            self._outbox.effects.append(LogLine("refused member", f"ignored member: name={name!r} reason={reason!r}"))
            return
        if known is not None and address != known.address:
            if not self._is_free(known, node, now):
                self._outbox.effects.append(NameConflict(known, node))
                return
        elif is_local:
            self._hear_of_self(node)
            return
        self._accept(node, known)
        self._sender.broadcast(Queue.MEMBERSHIP, message, name)

    def suspect(self, message: Suspect, now: float) -> None:
        known = self.table.get(message.node)
        if known is None or message.incarnation > MAX_INCARNATION:
            return
        if next_state(known.state, Claim.SUSPECT, message.incarnation, known.incarnation) is None:
            return
        suspicion = self.suspicions.get(message.node)
        if suspicion is not None:
            if suspicion.confirm(message.source):
                self._watch(message.node, suspicion)
                self._sender.broadcast(Queue.MEMBERSHIP, message, message.node)
            return
        if message.node == self.local.name:
            self._refute(message.incarnation, self._reason(f"suspected by {message.source!r}", message.source))
            return
        self._sender.broadcast(Queue.MEMBERSHIP, message, message.node)
        member = msgspec.structs.replace(known, state=_SUSPECT, incarnation=message.incarnation, changed_at=now)
        self.table.put(member)
        self._outbox.effects.append(MemberSuspected(member, message.source))
        suspicion = Suspicion(self._settings, len(self.table), message.source, now)
        self.suspicions[message.node] = suspicion
        self._watch(message.node, suspicion)

    def dead(self, message: Dead, now: float) -> None:
        name = message.node
        known = self.table.get(name)
        if known is None or message.incarnation > MAX_INCARNATION:
            return
        claim = Claim.LEAVES if message.source == name else Claim.DEAD
        state = next_state(known.state, claim, message.incarnation, known.incarnation)
        if state is None:
            return
        token = ""
        if name == self.local.name:
            if not self.is_leaving:
                self._refute(message.incarnation, self._reason(f"declared dead by {message.source!r}", message.source))
                return
            token = LEAVE_TOKEN
        suspicion = self.suspicions.pop(name, None)
        self._contacts.died(name, message.source, suspicion.accusers if suspicion else ())
        self._sender.broadcast(Queue.MEMBERSHIP, message, name, token)
        member = msgspec.structs.replace(known, state=state, incarnation=message.incarnation, changed_at=now)
        self.table.put(member)
        if name == self.local.name:
            self.local = member
        self._outbox.effects.append(MemberLeft(member, message.source))

    def expire(self, now: float) -> None:
        """Declare dead the members whose suspicion has ended."""
        ends = self._suspicion_ends
        while ends and ends[0][0] <= now:
            name = heapq.heappop(ends)[2]
            suspicion = self.suspicions.get(name)
            known = self.table.get(name)
            if suspicion is None or suspicion.deadline > now or known is None or known.state is not _SUSPECT:
                continue
            self.dead(Dead(known.incarnation, name, self.local.name), now)
        self.deadline = ends[0][0] if ends else float("inf")

    def merge(self, nodes: Iterable[PushPullNode], now: float) -> None:
        """Take over the members that a peer knows. A peer's dead ones are only suspected, so that they can refute.

        Source: memberlist's `mergeState` (PROTOCOL, section 4.6).
        """
        for node in nodes:
            if node.state == STATE_ALIVE:
                self.alive(Alive(node.incarnation, node.name, node.ip, node.port, node.meta, node.versions), now)
            elif node.state == STATE_LEFT:
                self.dead(Dead(node.incarnation, node.name, node.name), now)
            elif node.state >= STATE_SUSPECT:
                self.suspect(Suspect(node.incarnation, node.name, self.local.name), now)

    def set_meta(self, meta: bytes) -> None:
        """Change the local node's meta data and broadcast it. Raises ValueError if it is too long."""
        if len(meta) > MAX_META_SIZE:
            raise ValueError(f"the meta data has {len(meta)} bytes, more than {MAX_META_SIZE}")
        self._renew_local(self.local.incarnation + 1, meta)
        self._outbox.effects.append(MemberUpdated(self.local))

    def leave(self, now: float) -> None:
        """Broadcast that the local node leaves; it goes on answering."""
        if self.is_leaving:
            return
        self.is_leaving = True
        has_others = any(not member.is_gone and member.name != self.local.name for member in self.table)
        self.dead(Dead(self.local.incarnation, self.local.name, self.local.name), now)
        if not has_others:
            self._outbox.effects.append(LeaveFinished())

    def start_round(self, now: float) -> list[str]:
        """Forget the members that are gone for long, begin a new round of probes, and return the forgotten names."""
        limit = self._settings.gossip_to_the_dead_s
        return self.table.start_round(
            lambda member: member.is_gone and now - member.changed_at > limit and member.name != self.local.name
        )

    def _invalid(self, node: Member, known: Member | None) -> str:
        if node.incarnation > MAX_INCARNATION:
            return f"the incarnation {node.incarnation} is too high"
        if known is None and len(self.table) >= MAX_MEMBERS:
            return f"there are {MAX_MEMBERS} members already"
        return invalid_reason(node.name, node.address.ip, node.meta, node.versions)

    def _accept(self, node: Member, known: Member | None) -> None:
        self.suspicions.pop(node.name, None)
        if known is not None and not known.is_gone:
            changed_at = known.changed_at if known.state is _ALIVE else node.changed_at
            node = msgspec.structs.replace(node, changed_at=changed_at)
        self.table.put(node)
        if known is None or known.is_gone:
            self._contacts.revived(node.name)
            self._outbox.effects.append(MemberJoined(node))
        elif known.meta != node.meta or known.address != node.address:
            self._outbox.effects.append(MemberUpdated(node))

    def _is_free(self, known: Member, node: Member, now: float) -> bool:
        """Return whether another address may take over the name."""
        reclaim_s = self._settings.dead_node_reclaim_s
        if known.state is _LEFT or (known.state is _DEAD and 0 < reclaim_s < now - known.changed_at):
            return True
        return known.state is not _ALIVE and self._admission.is_same(known, node)

    def _hear_of_self(self, node: Member) -> None:
        local = self.local
        if node.incarnation < local.incarnation:
            return
        if node.incarnation == local.incarnation and (node.meta, node.versions) == (local.meta, local.versions):
            return
        self._refute(node.incarnation, "another state of this node is known")

    def _reason(self, text: str, source: str) -> str:
        """Return why a claim is refuted; the source is this node itself when another one has told what it knows of it."""
        return "a member takes it for one that has failed or left" if source == self.local.name else text

    def _refute(self, incarnation: int, reason: str) -> None:
        """Source: SWIM paper, section 4.2; the score is Lifeguard's: who is accused may be slow itself."""
        self._renew_local(max(self.local.incarnation, incarnation) + 1, self.local.meta)
        self.awareness.change(1)
        self._outbox.effects.append(LogLine("refuted", f"refuted a claim about this node: {reason}"))

    def _renew_local(self, incarnation: int, meta: bytes) -> None:
        self.local = msgspec.structs.replace(self.local, incarnation=min(incarnation, INCARNATION_LIMIT), meta=meta)
        self.table.put(self.local)
        self._sender.broadcast(Queue.MEMBERSHIP, self.local.as_alive(), self.local.name)

    def _watch(self, name: str, suspicion: Suspicion) -> None:
        self._count += 1
        heapq.heappush(self._suspicion_ends, (suspicion.deadline, self._count, name))
        self.deadline = self._suspicion_ends[0][0]
