"""One node of the membership protocol: messages and the time come in, effects go out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from pyconsul.agent.gossip.swim.contacts import Contact, Contacts
from pyconsul.agent.gossip.swim.effects import (
    Effect,
    MemberJoined,
    Outbox,
    UserMessageReceived,
    UserStateReceived,
)
from pyconsul.agent.gossip.swim.member import Member
from pyconsul.agent.gossip.swim.member_table import MemberTable, Rng
from pyconsul.agent.gossip.swim.membership import Admission, AdmitAll, Membership
from pyconsul.agent.gossip.swim.packets import GossipRounds, PacketSender, Queue
from pyconsul.agent.gossip.swim.pings import PingAnswers, Relays, UdpTests
from pyconsul.agent.gossip.swim.pings import Sequence as SequenceNumbers
from pyconsul.agent.gossip.swim.prober import Prober
from pyconsul.agent.gossip.swim.push_pull import MergeRefused, PushPullSchedule, check_nodes, check_protocols
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.messages import (
    Ack,
    Address,
    Alive,
    Dead,
    IndirectPing,
    Nack,
    PacketMessage,
    Ping,
    PushPull,
    PushPullNode,
    Suspect,
    UserMessage,
)


class Explanation(msgspec.Struct, frozen=True):
    """Why a member has its state, as far as this node knows; times in seconds of the caller's clock."""

    member: Member
    contact: Contact
    accusers: tuple[str, ...]  # members that suspect it, or did so when it was declared dead
    suspicion_ends_at: float | None


class Swim:
    """The state machine. Every method that takes `now` (seconds, of a clock that never jumps) returns effects.

    Call `tick` at `deadline()`, again after every other call, since it may have changed.
    """

    __slots__ = (
        "_admission",
        "_contacts",
        "_gossip",
        "_membership",
        "_outbox",
        "_ping_answers",
        "_prober",
        "_push_pull",
        "_relays",
        "_sender",
        "_table",
        "_udp_tests",
    )

    def __init__(
        self,
        settings: SwimSettings,
        local: Member,
        rng: Rng,
        now: float,
        *,
        admission: Admission | None = None,
        ack_payload: Callable[[], bytes | None] = lambda: None,
        packet_overhead: int = 0,
        known: tuple[Mapping[str, Member], Sequence[str]] | None = None,
    ) -> None:
        """`ack_payload` returns the delegate's payload of an ack; `packet_overhead`: bytes that label and encryption add;
        `known`: members to start with, shared and never changed.
        """
        self._admission = admission or AdmitAll()
        self._outbox = Outbox()
        self._table = MemberTable(rng, *known) if known else MemberTable(rng)
        if self._table.get(local.name) is None:
            self._table.put(local)
        self._sender = PacketSender(settings, self._table, self._outbox, packet_overhead)
        self._contacts = Contacts()
        self._membership = Membership(
            settings, local, self._table, self._sender, self._outbox, self._admission, self._contacts
        )
        sequence = SequenceNumbers()
        first_probe_at = now + rng.random() * settings.probe_interval_s
        self._prober = Prober(
            settings, self._membership, self._sender, self._outbox, sequence, self._contacts, first_probe_at
        )
        self._ping_answers = PingAnswers(self._sender, self._outbox, ack_payload, self._table.is_member)
        self._relays = Relays(self._sender, self._outbox, sequence, settings.probe_timeout_s, self._table.is_member)
        self._udp_tests = UdpTests(self._sender, self._outbox, sequence, settings.probe_timeout_s)
        self._push_pull = PushPullSchedule(settings, self._table, self._outbox, rng, now)
        self._gossip = GossipRounds(settings, self._table, self._sender, rng, now)
        if known is None:
            self._sender.broadcast(Queue.MEMBERSHIP, local.as_alive(), local.name)

    # --- what is known

    @property
    def local(self) -> Member:
        return self._membership.local

    @property
    def health_score(self) -> int:
        """0 is healthy; higher scores make this node wait longer before it accuses others."""
        return self._membership.awareness.score

    @property
    def members(self) -> MemberTable:
        """All members that are not forgotten, this node included; to be read only."""
        return self._table

    def queue_length(self, queue: Queue) -> int:
        return self._sender.length(queue)

    def explain(self, name: str) -> Explanation | None:
        """Return why a member has its state; None if it is unknown."""
        member = self._table.get(name)
        if member is None:
            return None
        suspicion = self._membership.suspicions.get(name)
        contact = self._contacts.get(name)
        accusers = tuple(suspicion.accusers) if suspicion else contact.accusers
        return Explanation(member, contact, accusers, suspicion.deadline if suspicion else None)

    # --- time

    def deadline(self) -> float:
        """Return when `tick` is due, in seconds."""
        due = min(
            self._prober.deadline,
            self._push_pull.deadline,
            self._membership.deadline,
            self._relays.deadline,
            self._udp_tests.deadline,
        )
        if self._gossip.next_at < due and self._sender.waiting and len(self._table) > 1:
            return self._gossip.next_at
        return due

    def tick(self, now: float) -> list[Effect]:
        """Do what is due. Take the packets that have arrived first: they may refute what is about to be declared."""
        if self._gossip.next_at <= now and self._sender.waiting:
            self._gossip.start(self.local.name, now)
        if self._prober.deadline <= now:
            self._prober.advance(now)
        if self._relays.deadline <= now:
            self._relays.expire(now)
        if self._udp_tests.deadline <= now:
            self._udp_tests.expire(self.local, now)
        if self._membership.deadline <= now:
            self._membership.expire(now)
        if self._push_pull.deadline <= now:
            self._push_pull.start(self.local.name, now)
        return self._changes(now)

    # --- packets

    def receive(self, messages: Iterable[PacketMessage], source: Address, now: float) -> list[Effect]:
        """Take the messages of a packet; news that a member is alive come before other news, as in memberlist."""
        later: list[PacketMessage] = []
        for message in messages:
            kind = type(message)
            if kind is Ack:
                self._ack(message, now)  # type: ignore[arg-type]
            elif kind is Ping:
                self._ping_answers.answer(message, source, self.local.name)  # type: ignore[arg-type]
            elif kind is Alive:
                self._membership.alive(message, now)  # type: ignore[arg-type]
            elif kind is IndirectPing:
                self._relays.start(message, source, self.local, now)  # type: ignore[arg-type]
            elif kind is Nack:
                self._prober.nack(message)  # type: ignore[arg-type]
            else:
                later.append(message)
        for message in later:
            if isinstance(message, Suspect):
                self._membership.suspect(message, now)
            elif isinstance(message, Dead):
                self._membership.dead(message, now)
            elif isinstance(message, UserMessage):
                self._outbox.effects.append(UserMessageReceived(message.payload, source))
        return self._changes(now)

    # --- streams

    def answer_stream_ping(self, ping: Ping) -> Ack | None:
        """Return the ack of a ping by a stream; None: close the stream."""
        return Ack(ping.seq_no) if ping.node in ("", self.local.name) else None

    def stream_ack(self, seq_no: int) -> None:
        """Take the ack of a ping that `SendStreamPing` asked for."""
        self._prober.stream_ack(seq_no)

    def push_pull(self, *, join: bool, user_state: bytes = b"") -> PushPull:
        """Return this node's half of a push/pull; `join` is true for a join, and as the request has it for an answer."""
        return PushPull(join, tuple([member.as_push_pull() for member in self._table]), user_state)

    def merge(self, message: PushPull, now: float) -> list[Effect]:
        """Merge a peer's half of a push/pull. Raises MergeRefused; then nothing was merged."""
        self.check_merge(message)
        return self.merge_nodes(message.nodes, now) + self.merge_user_state(message)

    def check_merge(self, message: PushPull) -> None:
        """Raise MergeRefused unless a peer's half of a push/pull may be merged."""
        check_protocols(self._table, message.nodes)
        if message.join:
            check_nodes(message.nodes)
            reason = self._admission.refuse_merge(message.nodes)
            if reason:
                raise MergeRefused(reason)

    def merge_nodes(self, nodes: Sequence[PushPullNode], now: float) -> list[Effect]:
        """Merge some of the members of a push/pull that was checked."""
        self._membership.merge(nodes, now)
        return self._changes(now)

    def merge_user_state(self, message: PushPull) -> list[Effect]:
        """Give the delegate its part of a push/pull, after all members were merged."""
        return [UserStateReceived(message.user_state, message.join)] if message.user_state else []

    # --- the delegate's wishes

    def broadcast(self, queue: Queue, payload: bytes, now: float, *, key: str = "", token: str = "") -> list[Effect]:
        """Gossip a message of the delegate; with a key it replaces the waiting one of that key."""
        self._sender.broadcast(queue, UserMessage(payload), key, token)
        return self._changes(now)

    def prune(self, queue: Queue, max_length: int) -> list[Effect]:
        """Cut a queue to a length, dropping what was sent most often."""
        self._sender.prune(queue, max_length)
        return self._outbox.take()

    def send_user_message(self, address: Address, payload: bytes) -> list[Effect]:
        """Send a message of the delegate to one member, best effort."""
        self._sender.send_user_message(address, payload)
        return self._outbox.take()

    def test_udp(self, address: Address, now: float) -> list[Effect]:
        """Test whether UDP passes between this node and an address in both directions; the result is a `UdpTested`.

        The node there need not be a member. Test before joining: its answers to a member would carry news about that very member,
        each of which is sent a few times only, and the others might miss them.
        """
        self._udp_tests.start(address, self.local, now)
        return self._changes(now)

    def set_meta(self, meta: bytes, now: float) -> list[Effect]:
        """Change the local node's meta data. Raises ValueError if it is too long."""
        self._membership.set_meta(meta)
        return self._changes(now)

    def leave(self, now: float) -> list[Effect]:
        """Leave the pool; `LeaveFinished` follows once the broadcast was sent. The node goes on answering."""
        self._membership.leave(now)
        return self._changes(now)

    # --- parts

    def _changes(self, now: float) -> list[Effect]:
        """Return the effects. Rounds of gossip keep their rhythm, also over times in which there was nothing to send."""
        if self._gossip.next_at < now and self._sender.waiting:
            self._gossip.skip(now)
        effects = self._outbox.take()
        for effect in effects:
            if type(effect) is MemberJoined:
                self._push_pull.member_joined(now)
        return effects

    def _ack(self, message: Ack, now: float) -> None:
        if not self._prober.ack(message, now) and not self._relays.ack(message):
            self._udp_tests.ack(message)
