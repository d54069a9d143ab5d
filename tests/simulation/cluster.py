"""Many nodes of the membership protocol in one process, in virtual time, from one seed.

Packets are delivered after a delay or lost; streams are not lost, but reach no node that is down, frozen or cut off. Messages are
passed on as objects, without encoding them, unless a framing is given.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence

from pyconsul.agent.gossip.swim.effects import (
    Effect,
    ExchangeState,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    ProbeAnswered,
    SendPacket,
    SendStreamPing,
    UdpTested,
)
from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.node import Swim
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.gossip.swim.push_pull import MergeRefused
from pyconsul.agent.gossip.swim.settings import LAN, SwimSettings
from pyconsul.agent.gossip.wire.messages import Address, PacketMessage, PushPull
from pyconsul.agent.gossip.wire.packet import Framing, decode_packet, encode_packet
from pyconsul.agent.gossip.wire.stream import StreamDecoder, encode_stream

VERSIONS = bytes((1, 5, 2, 2, 5, 4))
PORT = 8301


class Node:
    """A node and what happens to it."""

    __slots__ = ("group", "held_in", "held_out", "index", "is_down", "is_frozen", "swim", "wakes_at")

    def __init__(self, index: int, swim: Swim) -> None:
        self.index, self.swim = index, swim
        self.is_down = self.is_frozen = False
        self.group = 0  # nodes of different groups cannot reach each other
        self.held_in: list[tuple[Sequence[PacketMessage], Address]] = []
        self.held_out: list[SendPacket] = []
        self.wakes_at = float("inf")

    @property
    def name(self) -> str:
        return self.swim.local.name


class Cluster:
    """A virtual network of nodes. `now` is in seconds."""

    def __init__(
        self,
        size: int,
        *,
        seed: int,
        settings: SwimSettings = LAN,
        loss: float = 0.0,
        delay_s: Callable[[random.Random, Node, Node], float] = lambda rng, source, target: 0.0,
        tcp_pings: bool = True,
        settled: bool = True,
        framing: Framing | None = None,
    ) -> None:
        """`settled`: all know each other from the start; otherwise every node knows only itself.

        `framing`: encode and decode every packet and stream.
        """
        self.now = 0.0
        self.rng = random.Random(seed)
        self.loss, self.delay_s, self.tcp_pings, self.framing = loss, delay_s, tcp_pings, framing
        self.counts: Counter[str] = Counter()
        #: Directions in which no packet arrives (source, target); streams pass.
        self.cut: set[tuple[Node, Node]] = set()
        #: Called with (observer, effect) for every change of a member and every ack of a direct ping.
        self.on_change: Callable[[Node, Effect], None] | None = None
        self._events: list[tuple[float, int, Node | Callable[[], None], Sequence[PacketMessage] | None, Address]] = []
        self._event_count = 0
        self._by_address: dict[Address, Node] = {}
        self.nodes: list[Node] = []
        members = [member(index) for index in range(size)]
        known = ({one.name: one for one in members}, [one.name for one in members])
        for index, one in enumerate(members):
            rng = random.Random(self.rng.getrandbits(64))
            overhead = framing.packet_overhead if framing else 0
            node = Node(
                index, Swim(settings, one, rng, 0.0, known=known if settled else None, packet_overhead=overhead)
            )
            self.nodes.append(node)
            self._by_address[one.address] = node
            self._schedule(node)

    # --- what a test does

    def run_for(self, duration_s: float) -> None:
        self.run_until(lambda: False, duration_s)

    def run_until(self, is_done: Callable[[], bool], limit_s: float) -> bool:
        """Run until a condition holds, tested after every event of the network; return whether it came to hold."""
        end = self.now + limit_s
        events = self._events
        while events and events[0][0] <= end:
            self.now, _, target, messages, source = heapq.heappop(events)
            if not isinstance(target, Node):
                target()
            elif messages is None:
                self._wake(target)
            else:
                self._deliver(target, messages, source)
            if is_done():
                return True
        self.now = end
        return is_done()

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        self._push(time_s, action, None, Address(b"", 0))

    def join(self, node: Node, peer: Node) -> None:
        """Let a node join another one by a push/pull."""
        self._exchange(node, peer, join=True)

    def do(self, node: Node, effects: list[Effect]) -> None:
        """Carry out what a call of a node's method asked for."""
        self._carry_out(node, effects)
        self._schedule(node)

    def freeze(self, node: Node) -> None:
        """Hold everything that goes in or out of a node; its clock goes on."""
        node.is_frozen = True

    def thaw(self, node: Node) -> None:
        """Release what was held."""
        node.is_frozen = False
        held_in, node.held_in = node.held_in, []
        held_out, node.held_out = node.held_out, []
        for packet in held_out:
            self._send(node, packet)
        for messages, source in held_in:
            self._deliver(node, messages, source)

    def restart(self, node: Node, settings: SwimSettings = LAN) -> None:
        """Start a node again that knows only itself."""
        rng = random.Random(self.rng.getrandbits(64))
        node.swim = Swim(settings, member(node.index), rng, self.now)
        node.is_down, node.wakes_at = False, float("inf")
        self._schedule(node)

    def up(self) -> list[Node]:
        return [node for node in self.nodes if not node.is_down]

    def knows_all_alive(self, node: Node, nodes: Sequence[Node]) -> bool:
        """Return whether a node sees these as alive or suspect, and no other ones."""
        seen = {one.name for one in node.swim.members if not one.is_gone}
        return seen == {other.name for other in nodes}

    def queue_lengths(self) -> list[int]:
        return [sum(node.swim.queue_length(queue) for queue in Queue) for node in self.up()]

    # --- the network

    def _push(
        self, time: float, target: Node | Callable[[], None], messages: Sequence[PacketMessage] | None, source: Address
    ) -> None:
        self._event_count += 1
        heapq.heappush(self._events, (time, self._event_count, target, messages, source))

    def _schedule(self, node: Node) -> None:
        deadline = node.swim.deadline()
        if deadline < node.wakes_at:
            node.wakes_at = max(deadline, self.now)
            self._push(node.wakes_at, node, None, node.swim.local.address)

    def _wake(self, node: Node) -> None:
        if node.is_down or node.wakes_at != self.now:
            return  # replaced by an earlier time
        node.wakes_at = float("inf")
        if node.swim.deadline() <= self.now:
            self._carry_out(node, node.swim.tick(self.now))
        self._schedule(node)

    def _deliver(self, node: Node, messages: Sequence[PacketMessage], source: Address) -> None:
        if node.is_down:
            return
        if node.is_frozen:
            node.held_in.append((messages, source))
            return
        self._carry_out(node, node.swim.receive(messages, source, self.now))
        self._schedule(node)

    def _carry_out(self, node: Node, effects: list[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            if kind is SendPacket:
                self._send(node, effect)  # type: ignore[arg-type]
            elif isinstance(effect, ExchangeState):
                peer = self._by_address.get(effect.member.address)
                if peer is not None:
                    self._exchange(node, peer, join=effect.join)
            elif isinstance(effect, SendStreamPing):
                peer = self._by_address.get(effect.address)
                if self.tcp_pings and peer is not None and self._is_reachable(node, peer):
                    node.swim.stream_ack(effect.ping.seq_no)
            elif isinstance(effect, UdpTested):
                self.counts["UDP passes" if effect.reaches_peer and effect.reaches_us else "UDP blocked"] += 1
            elif isinstance(effect, MemberJoined | MemberLeft | MemberUpdated | MemberSuspected | ProbeAnswered):
                self.counts[kind.__name__] += 1
                if self.on_change is not None:
                    self.on_change(node, effect)

    def _send(self, node: Node, packet: SendPacket) -> None:
        if node.is_frozen:
            node.held_out.append(packet)
            return
        self.counts["packets"] += 1
        if self.loss and self.rng.random() < self.loss:
            return
        target = self._by_address.get(packet.address)
        if target is None or target.group != node.group or (node, target) in self.cut:
            return
        messages: Sequence[PacketMessage] = packet.messages
        if packet.broadcasts:
            messages = [*messages, *(broadcast.message for broadcast in packet.broadcasts)]
        if self.framing is not None:
            data = encode_packet(packet.encoded_parts(), self.framing, crc=packet.crc)
            self.counts["bytes"] += len(data)
            messages = decode_packet(data, self.framing).messages
        self._push(self.now + self.delay_s(self.rng, node, target), target, messages, node.swim.local.address)

    def _is_reachable(self, node: Node, peer: Node) -> bool:
        return not (peer.is_down or peer.is_frozen or node.is_frozen) and peer.group == node.group

    def _exchange(self, node: Node, peer: Node, *, join: bool) -> None:
        if not self._is_reachable(node, peer):
            return
        self.counts["push/pulls"] += 1
        request = self._transfer(node.swim.push_pull(join=join), is_answer=False)
        answer = self._transfer(peer.swim.push_pull(join=join), is_answer=True)
        try:
            self._carry_out(peer, peer.swim.merge(request, self.now))
            self._carry_out(node, node.swim.merge(answer, self.now))
        except MergeRefused:
            self.counts["refused merges"] += 1
        self._schedule(peer)
        self._schedule(node)

    def _transfer(self, message: PushPull, *, is_answer: bool) -> PushPull:
        if self.framing is None:
            return message
        decoder = StreamDecoder(self.framing, is_answer=is_answer)
        received = decoder.feed(encode_stream(message, self.framing, is_answer=is_answer))
        assert isinstance(received, PushPull)
        return received


def member(index: int) -> Member:
    """Return the record of a node at its start."""
    address = Address(bytes((10, index >> 16, index >> 8 & 255, index & 255)), PORT)
    return Member(f"node-{index}", address, b"meta", VERSIONS, 1, MemberState.ALIVE, 0.0)
