"""Outgoing packets: every one carries as many waiting broadcasts as fit. Rounds of gossip send nothing else."""

from __future__ import annotations

import math
from enum import IntEnum

from pyconsul.agent.gossip.swim.broadcast_queue import PART_OVERHEAD, Broadcast, BroadcastQueue
from pyconsul.agent.gossip.swim.effects import BroadcastFinished, LeaveFinished, LogLine, Outbox, SendPacket
from pyconsul.agent.gossip.swim.formulas import retransmit_limit
from pyconsul.agent.gossip.swim.member import PMAX_CRC, Member, MemberState
from pyconsul.agent.gossip.swim.member_table import MemberTable, Rng
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.messages import Address, PacketMessage, UserMessage, encode_message
from pyconsul.agent.gossip.wire.packet import MAX_PARTS

COMPOUND_HEAD = 2  # bytes of the head of a compound message
LEAVE_TOKEN = "swim: leave"  # of the broadcast with which this node leaves


class Queue(IntEnum):
    """The broadcast queues, in the order in which packets are filled from them."""

    MEMBERSHIP = 0
    INTENTS = 1
    QUERIES = 2
    EVENTS = 3


class PacketSender:
    """Owns the broadcast queues and puts packets into the outbox."""

    __slots__ = ("_budget", "_limit", "_limit_members", "_mult", "_outbox", "_queues", "_table", "waiting")

    def __init__(self, settings: SwimSettings, table: MemberTable, outbox: Outbox, overhead: int) -> None:
        """`overhead`: bytes that label and encryption add to a packet."""
        self._budget = settings.packet_budget - overhead - COMPOUND_HEAD
        self._mult = settings.retransmit_mult
        self._table = table
        self._outbox = outbox
        self._queues = tuple(BroadcastQueue() for _ in Queue)
        self._limit = self._limit_members = 0
        #: The number of broadcasts in all queues.
        self.waiting = 0

    def length(self, queue: Queue) -> int:
        """Return the number of broadcasts that wait in a queue."""
        return len(self._queues[queue])

    def broadcast(self, queue: Queue, message: PacketMessage, key: str = "", token: str = "") -> None:
        """Queue a broadcast, in place of the waiting one of the same key; one that fits into no packet is dropped."""
        data = encode_message(message)
        if len(data) + PART_OVERHEAD > self._budget:
            text = f"dropped a broadcast of {len(data)} bytes: a packet holds {self._budget - PART_OVERHEAD}"
            self._outbox.effects.append(LogLine("broadcast too large", text))
            if token:
                self._finished(token)
            return
        replaced = self._queues[queue].add(message, data, key, token)
        self._count()
        if replaced:
            self._finished(replaced)

    def prune(self, queue: Queue, max_length: int) -> None:
        """Drop broadcasts of a queue, those sent most often first."""
        for token in self._queues[queue].prune(max_length):
            self._finished(token)
        self._count()

    def send(self, address: Address, message: PacketMessage) -> None:
        """Send one message, with broadcasts beside it."""
        if not self.waiting:
            self._outbox.effects.append(SendPacket(address, (message,)))
            return
        taken = self._fill(self._budget - len(encode_message(message)), MAX_PARTS - 1)
        self._outbox.effects.append(SendPacket(address, (message,), taken))

    def send_bare(self, address: Address, *messages: PacketMessage) -> None:
        """Send messages to an address without broadcasts: to one that may not belong to a member, they would be wasted."""
        self._outbox.effects.append(SendPacket(address, messages))

    def send_alone(self, member: Member, *messages: PacketMessage) -> None:
        """Send messages to a member without broadcasts."""
        self._outbox.effects.append(SendPacket(member.address, messages, (), member.understands(PMAX_CRC)))

    def send_user_message(self, address: Address, payload: bytes) -> None:
        """Send one message of the delegate, best effort."""
        self._outbox.effects.append(SendPacket(address, (UserMessage(payload),)))

    def gossip(self, member: Member) -> None:
        """Send broadcasts, if there are any."""
        taken = self._fill(self._budget, MAX_PARTS)
        if taken:
            self._outbox.effects.append(SendPacket(member.address, (), taken, member.understands(PMAX_CRC)))

    def _fill(self, free: int, max_parts: int) -> list[Broadcast]:
        members = len(self._table)
        if members != self._limit_members:
            self._limit_members, self._limit = members, retransmit_limit(self._mult, members)
        taken: list[Broadcast] = []
        for queue in self._queues:
            if queue:
                more, free = queue.fill(free, self._limit, max_parts - len(taken))
                taken += more
        self._count()
        for broadcast in taken:
            if broadcast.token and broadcast.transmissions >= self._limit:
                self._finished(broadcast.token)
        return taken

    def _count(self) -> None:
        self.waiting = sum(map(len, self._queues))

    def _finished(self, token: str) -> None:
        self._outbox.effects.append(LeaveFinished() if token == LEAVE_TOKEN else BroadcastFinished(token))


class GossipRounds:
    """Rounds in which broadcasts go to random members, at regular times; skipped without broadcasts.

    Source: SWIM paper, section 4.1; own rounds: memberlist (PROTOCOL, section 7.4).
    """

    __slots__ = ("_sender", "_settings", "_table", "next_at")

    def __init__(self, settings: SwimSettings, table: MemberTable, sender: PacketSender, rng: Rng, now: float) -> None:
        self._settings, self._table, self._sender = settings, table, sender
        #: When the next round is due, in seconds.
        self.next_at = now + rng.random() * settings.gossip_interval_s

    def start(self, local_name: str, now: float) -> None:
        """Send broadcasts to random members."""
        interval = self._settings.gossip_interval_s
        self.next_at += interval * (math.floor((now - self.next_at) / interval) + 1)
        since = now - self._settings.gossip_to_the_dead_s
        for member in self._table.random_members(
            self._settings.gossip_nodes,
            lambda member: (
                member.name != local_name
                and (not member.is_gone or (member.state is MemberState.DEAD and member.changed_at >= since))
            ),
        ):
            self._sender.gossip(member)

    def skip(self, now: float) -> None:
        """Skip the rounds before `now`, in which there was nothing to send; the rhythm stays."""
        interval = self._settings.gossip_interval_s
        self.next_at += interval * math.ceil((now - self.next_at) / interval)
