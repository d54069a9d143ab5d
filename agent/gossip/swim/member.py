"""A member as this node knows it."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from pyconsul.agent.gossip.wire.messages import Address, Alive, PushPullNode

PMAX_TCP_PING, PMAX_NACK, PMAX_CRC = 3, 4, 5  # protocol versions from which a member understands these
MAX_META_SIZE = 512  # bytes
VERSIONS_SIZE = 6  # bytes
_IPV4_MAPPED = bytes(10) + b"\xff\xff"


class MemberState(IntEnum):
    """States with the numbers of the wire; the local node is alive, or left once it leaves."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Member(msgspec.Struct, frozen=True, gc=False):
    """A member; replaced as a whole when anything changes, so that records can be shared."""

    name: str
    address: Address
    meta: bytes
    versions: bytes  # PMin, PMax, PCur, DMin, DMax, DCur
    incarnation: int
    state: MemberState
    changed_at: float  # time of the last change of the state

    @property
    def ip(self) -> bytes:
        return self.address.ip

    @property
    def port(self) -> int:
        return self.address.port

    @property
    def is_gone(self) -> bool:
        return self.state >= MemberState.DEAD

    def understands(self, protocol: int) -> bool:
        """Return whether the member's highest protocol version is at least this one."""
        return self.versions[1] >= protocol

    def as_alive(self) -> Alive:
        return Alive(self.incarnation, self.name, self.address.ip, self.address.port, self.meta, self.versions)

    def as_push_pull(self) -> PushPullNode:
        return PushPullNode(
            self.name, self.address.ip, self.address.port, self.meta, self.incarnation, self.state, self.versions
        )


def normal_ip(ip: bytes) -> bytes:
    """Return an IPv4 address within IPv6 as IPv4, so that addresses can be compared."""
    return ip[12:] if len(ip) == 16 and ip.startswith(_IPV4_MAPPED) else ip


def invalid_reason(name: str, ip: bytes, meta: bytes, versions: bytes) -> str:
    """Return why a node with these data cannot be an alive member; "" if it can. Source: PROTOCOL, sections 6.1 and 10.3."""
    if not name:
        return "the name is empty"
    if len(ip) not in (4, 16):
        return f"the address has {len(ip)} bytes"
    if len(meta) > MAX_META_SIZE:
        return f"the meta data has {len(meta)} bytes, more than {MAX_META_SIZE}"
    if len(versions) != VERSIONS_SIZE:
        return f"the versions have {len(versions)} bytes, not {VERSIONS_SIZE}"
    if not 0 < versions[0] <= versions[1]:
        return f"the protocol versions {versions[0]}..{versions[1]} are no range"
    return ""
