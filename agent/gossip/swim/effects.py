"""Effects: requests of the membership protocol to its driver, as data. The driver carries them out in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.gossip.swim.broadcast_queue import Broadcast
from pyconsul.agent.gossip.swim.member import Member
from pyconsul.agent.gossip.wire.messages import Address, PacketMessage, Ping, encode_message


class SendPacket(msgspec.Struct, frozen=True, gc=False):
    """Send a packet of these messages and broadcasts; `crc`: the receiver understands checksums."""

    address: Address
    messages: tuple[PacketMessage, ...]
    broadcasts: Sequence[Broadcast] = ()
    crc: bool = False

    def encoded_parts(self) -> list[bytes]:
        """Return the encoded messages, 1 to 255, for `wire.packet.encode_packet`."""
        return [*map(encode_message, self.messages), *(broadcast.data for broadcast in self.broadcasts)]


class SendStreamPing(msgspec.Struct, frozen=True):
    """Ping a member by a stream, too; on the ack call `Swim.stream_ack(ping.seq_no)`, on failure nothing."""

    address: Address
    ping: Ping
    timeout_s: float


class ExchangeState(msgspec.Struct, frozen=True):
    """Do a push/pull: send `Swim.push_pull(join)` in a stream and give the answer to `Swim.merge`."""

    member: Member
    join: bool


class MemberJoined(msgspec.Struct, frozen=True):
    """A member is alive that was unknown, dead or left."""

    member: Member


class MemberUpdated(msgspec.Struct, frozen=True):
    """A member changed its meta data."""

    member: Member


class MemberSuspected(msgspec.Struct, frozen=True):
    """A member did not answer `source`; it counts as alive until the suspicion ends."""

    member: Member
    source: str


class MemberLeft(msgspec.Struct, frozen=True):
    """A member is dead, or left by itself (see `member.state`)."""

    member: Member
    source: str  # the member that declared it


class NameConflict(msgspec.Struct, frozen=True):
    """Another node claims the name of a member, or of this node; its message is ignored."""

    member: Member
    other: Member


class ProbeAnswered(msgspec.Struct, frozen=True):
    """A member acked a direct ping after `rtt_s`; `payload` is the delegate's."""

    member: Member
    rtt_s: float
    payload: bytes | None


class UdpTested(msgspec.Struct, frozen=True):
    """The result of `Swim.test_udp`: whether a ping to the address was acked, and whether a ping from there got through."""

    address: Address
    reaches_peer: bool
    reaches_us: bool


class UserMessageReceived(msgspec.Struct, frozen=True):
    """A message for the delegate arrived from this address."""

    payload: bytes
    source: Address


class UserStateReceived(msgspec.Struct, frozen=True):
    """The delegate's state of a peer arrived with a push/pull."""

    state: bytes
    join: bool


class BroadcastFinished(msgspec.Struct, frozen=True):
    """The broadcast of this token was sent its full number of times, or was replaced or dropped."""

    token: str


class LeaveFinished(msgspec.Struct, frozen=True):
    """The news that this node leaves was sent its full number of times."""


class LogLine(msgspec.Struct, frozen=True):
    """One line for the log. Lines of one `category` are counted and rate-limited together."""

    category: str
    text: str


Effect: TypeAlias = (
    SendPacket
    | SendStreamPing
    | ExchangeState
    | MemberJoined
    | MemberUpdated
    | MemberSuspected
    | MemberLeft
    | NameConflict
    | ProbeAnswered
    | UdpTested
    | UserMessageReceived
    | UserStateReceived
    | BroadcastFinished
    | LeaveFinished
    | LogLine
)


class Outbox:
    """The effects of the present call, shared by the parts of one node."""

    __slots__ = ("effects",)

    def __init__(self) -> None:
        self.effects: list[Effect] = []

    def take(self) -> list[Effect]:
        """Return the collected effects and clear the outbox."""
        effects, self.effects = self.effects, []
        return effects
