"""Pings that this node sends on behalf of others (indirect probes)."""

from __future__ import annotations

from collections import deque

from pyconsul.agent.gossip.swim.member import normal_ip
from pyconsul.agent.gossip.swim.packets import PacketSender
from pyconsul.agent.gossip.wire.messages import Ack, Address, IndirectPing, Nack, Ping

_SEQUENCE_MASK = 2**32 - 1
MAX_RELAYS = 1024  # pending at once; more are dropped


class Sequence:
    """Numbers that pair pings with acks: counts up from 1 and wraps at 32 bits; direct and relayed pings share one."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last = (self._last + 1) & _SEQUENCE_MASK
        return self._last


class _Relay:
    __slots__ = ("ends_at", "requester", "seq_no", "wants_nack")

    def __init__(self, seq_no: int, requester: Address, ends_at: float, *, wants_nack: bool) -> None:
        self.seq_no, self.requester, self.ends_at, self.wants_nack = seq_no, requester, ends_at, wants_nack


class Relays:
    """The relayed pings that have not been acked, each for one probe timeout.

    Source: memberlist's `handleIndirectPing` (PROTOCOL, section 7.3); nacks are Lifeguard's.
    """

    __slots__ = ("_by_seq_no", "_ends", "_sender", "_sequence", "_timeout_s", "deadline")

    def __init__(self, sender: PacketSender, sequence: Sequence, timeout_s: float) -> None:
        self._sender, self._sequence, self._timeout_s = sender, sequence, timeout_s
        self._by_seq_no: dict[int, _Relay] = {}
        self._ends: deque[tuple[float, int]] = deque()  # in order, since all last equally long
        self.deadline = float("inf")  # when `expire` is due, in seconds

    def start(self, message: IndirectPing, source: Address, local: Ping, now: float) -> bool:
        """Ping the target; return False if too many are pending. `local` holds this node's source fields."""
        if len(self._by_seq_no) >= MAX_RELAYS:
            return False
        requester = Address(normal_ip(message.source_ip), message.source_port) if message.source_ip else source
        seq_no = self._sequence.next()
        self._by_seq_no[seq_no] = _Relay(message.seq_no, requester, now + self._timeout_s, wants_nack=message.nack)
        self._ends.append((now + self._timeout_s, seq_no))
        self.deadline = self._ends[0][0]
        ping = Ping(seq_no, message.node, local.source_ip, local.source_port, local.source_node)
        self._sender.send(Address(normal_ip(message.target), message.port), ping)
        return True

    def ack(self, message: Ack) -> bool:
        """Pass on an ack, without its payload; return whether it belongs to a relayed ping."""
        relay = self._by_seq_no.pop(message.seq_no, None)
        if relay is None:
            return False
        self._sender.send(relay.requester, Ack(relay.seq_no))
        return True

    def expire(self, now: float) -> None:
        """Send the nacks that are due."""
        while self._ends and self._ends[0][0] <= now:
            relay = self._by_seq_no.pop(self._ends.popleft()[1], None)
            if relay is not None and relay.wants_nack:
                self._sender.send(relay.requester, Nack(relay.seq_no))
        self.deadline = self._ends[0][0] if self._ends else float("inf")
