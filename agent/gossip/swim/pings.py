"""Pings besides probes: those of peers, those sent on behalf of others (indirect probes), and tests of UDP after a join."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pyconsul.agent.gossip.swim.effects import LogLine, Outbox, UdpTested
from pyconsul.agent.gossip.swim.member import Member, normal_ip
from pyconsul.agent.gossip.swim.packets import PacketSender
from pyconsul.agent.gossip.wire.messages import Ack, Address, IndirectPing, Nack, PacketMessage, Ping

_SEQUENCE_MASK = 2**32 - 1
UDP_TEST_ATTEMPTS = 3  # one probe timeout each
MAX_RELAYS = 1024  # pending at once; more are dropped


class Sequence:
    """Numbers that pair pings with acks: counts up from 1 and wraps at 32 bits; direct and relayed pings share one."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last = (self._last + 1) & _SEQUENCE_MASK
        return self._last


class PingAnswers:
    """Answers the pings of peers that arrive in packets."""

    __slots__ = ("_ack_payload", "_is_member", "_outbox", "_sender")

    def __init__(
        self,
        sender: PacketSender,
        outbox: Outbox,
        ack_payload: Callable[[], bytes | None],
        is_member: Callable[[str], bool],
    ) -> None:
        """`ack_payload` returns the delegate's payload of an ack; `is_member` says whether broadcasts to a node are of use."""
        self._sender, self._outbox, self._ack_payload, self._is_member = sender, outbox, ack_payload, is_member

    def answer(self, ping: Ping, source: Address, local_name: str) -> None:
        """Send the ack of a ping, unless it is for another node."""
        if ping.node and ping.node != local_name:
            text = f"ignored a ping for another node: node={ping.node!r} source={ping.source_node!r}"
            self._outbox.effects.append(LogLine("ping for another node", text))
            return
        address = Address(normal_ip(ping.source_ip), ping.source_port) if ping.source_ip else source
        ack = Ack(ping.seq_no, self._ack_payload())
        if self._is_member(ping.source_node):
            self._sender.send(address, ack)
        else:
            self._sender.send_bare(address, ack)


class _Relay:
    __slots__ = ("ends_at", "is_for_member", "requester", "seq_no", "wants_nack")

    def __init__(
        self, seq_no: int, requester: Address, ends_at: float, *, wants_nack: bool, is_for_member: bool
    ) -> None:
        self.seq_no, self.requester, self.ends_at, self.wants_nack = seq_no, requester, ends_at, wants_nack
        self.is_for_member = is_for_member


class Relays:
    """The relayed pings that have not been acked, each for one probe timeout.

    Source: memberlist's `handleIndirectPing` (PROTOCOL, section 7.3); nacks are Lifeguard's.
    """

    __slots__ = ("_by_seq_no", "_ends", "_is_member", "_outbox", "_sender", "_sequence", "_timeout_s", "deadline")

    def __init__(
        self,
        sender: PacketSender,
        outbox: Outbox,
        sequence: Sequence,
        timeout_s: float,
        is_member: Callable[[str], bool],
    ) -> None:
        """`is_member` says whether broadcasts to a node are of use."""
        self._sender, self._outbox, self._sequence, self._timeout_s = sender, outbox, sequence, timeout_s
        self._is_member = is_member
        self._by_seq_no: dict[int, _Relay] = {}
        self._ends: deque[tuple[float, int]] = deque()  # in order, since all last equally long
        self.deadline = float("inf")  # when `expire` is due, in seconds

    def start(self, message: IndirectPing, source: Address, local: Member, now: float) -> None:
        """Ping the target, unless too many pings are pending."""
        if len(self._by_seq_no) >= MAX_RELAYS:
            self._outbox.effects.append(LogLine("too many relays", "dropped an indirect ping: too many are pending"))
            return
        requester = Address(normal_ip(message.source_ip), message.source_port) if message.source_ip else source
        seq_no = self._sequence.next()
        self._by_seq_no[seq_no] = _Relay(
            message.seq_no,
            requester,
            now + self._timeout_s,
            wants_nack=message.nack,
            is_for_member=self._is_member(message.source_node),
        )
        self._ends.append((now + self._timeout_s, seq_no))
        self.deadline = self._ends[0][0]
        ping = Ping(seq_no, message.node, local.address.ip, local.address.port, local.name)
        self._send(Address(normal_ip(message.target), message.port), ping, is_to_member=self._is_member(message.node))

    def ack(self, message: Ack) -> bool:
        """Pass on an ack, without its payload; return whether it belongs to a relayed ping."""
        relay = self._by_seq_no.pop(message.seq_no, None)
        if relay is None:
            return False
        self._send(relay.requester, Ack(relay.seq_no), is_to_member=relay.is_for_member)
        return True

    def expire(self, now: float) -> None:
        """Send the nacks that are due."""
        while self._ends and self._ends[0][0] <= now:
            relay = self._by_seq_no.pop(self._ends.popleft()[1], None)
            if relay is not None and relay.wants_nack:
                self._send(relay.requester, Nack(relay.seq_no), is_to_member=relay.is_for_member)
        self.deadline = self._ends[0][0] if self._ends else float("inf")

    def _send(self, address: Address, message: PacketMessage, *, is_to_member: bool) -> None:
        if is_to_member:
            self._sender.send(address, message)
        else:
            self._sender.send_bare(address, message)


class _UdpTest:
    """Two questions to a peer: answer us, and ping us yourself."""

    __slots__ = ("address", "attempts", "ends_at", "peer_seq_no", "reaches_peer", "reaches_us", "self_seq_no")

    def __init__(self, address: Address, peer_seq_no: int, self_seq_no: int, ends_at: float) -> None:
        self.address, self.peer_seq_no, self.self_seq_no, self.ends_at = address, peer_seq_no, self_seq_no, ends_at
        self.reaches_peer = self.reaches_us = False
        self.attempts = 1

    def ack(self, seq_no: int) -> bool:
        """Take an ack; return whether it belongs to this test."""
        self.reaches_peer |= seq_no == self.peer_seq_no
        self.reaches_us |= seq_no == self.self_seq_no
        return seq_no in (self.peer_seq_no, self.self_seq_no)

    def try_again(self, ends_at: float) -> None:
        self.attempts += 1
        self.ends_at = ends_at


class UdpTests:
    """Tests of whether UDP passes between this node and a peer, in both directions (own addition).

    A ping shows that packets arrive there and answers come back. An indirect ping whose target is this node lets the peer speak
    first, which a firewall may forbid; memberlist handles it like any other.
    """

    __slots__ = ("_outbox", "_sender", "_sequence", "_tests", "_timeout_s", "deadline")

    def __init__(self, sender: PacketSender, outbox: Outbox, sequence: Sequence, timeout_s: float) -> None:
        self._sender, self._outbox, self._sequence, self._timeout_s = sender, outbox, sequence, timeout_s
        self._tests: list[_UdpTest] = []
        self.deadline = float("inf")  # when `expire` is due, in seconds

    def start(self, address: Address, local: Member, now: float) -> None:
        test = _UdpTest(address, self._sequence.next(), self._sequence.next(), now + self._timeout_s)
        self._tests.append(test)
        self._ask(test, local)
        self._schedule()

    def ack(self, message: Ack) -> None:
        for test in self._tests:
            if test.ack(message.seq_no):
                if test.reaches_peer and test.reaches_us:
                    self._finish(test)
                return

    def expire(self, local: Member, now: float) -> None:
        """Ask again, or end the tests that had all their attempts."""
        for test in [test for test in self._tests if test.ends_at <= now]:
            if test.attempts == UDP_TEST_ATTEMPTS:
                self._finish(test)
                continue
            test.try_again(now + self._timeout_s)
            self._ask(test, local)
        self._schedule()

    def _ask(self, test: _UdpTest, local: Member) -> None:
        ip, port = local.address
        messages: list[PacketMessage] = []
        if not test.reaches_peer:
            messages.append(Ping(test.peer_seq_no, "", ip, port, local.name))
        if not test.reaches_us:
            messages.append(IndirectPing(test.self_seq_no, ip, port, local.name, False, ip, port, local.name))
        self._sender.send_bare(test.address, *messages)

    def _finish(self, test: _UdpTest) -> None:
        self._tests.remove(test)
        self._outbox.effects.append(UdpTested(test.address, test.reaches_peer, test.reaches_us))
        self._schedule()

    def _schedule(self) -> None:
        self.deadline = min((test.ends_at for test in self._tests), default=float("inf"))
