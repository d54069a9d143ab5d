"""A member of a gossip pool (https://developer.hashicorp.com/consul/api-docs/agent#list-members)."""

from __future__ import annotations

from enum import Enum, IntEnum

import msgspec


class MemberStatus(IntEnum):
    """The status of a member; the numbers are Serf's."""

    ALIVE = 1
    LEAVING = 2
    LEFT = 3
    FAILED = 4


class MemberEvent(Enum):
    """A change of a member that subscribers are told of."""

    JOIN = "member-join"
    LEAVE = "member-leave"
    FAILED = "member-failed"
    UPDATE = "member-update"
    REAP = "member-reap"


_JSON_NAMES = {
    "name": "Name",
    "address": "Addr",
    "port": "Port",
    "tags": "Tags",
    "status": "Status",
    "protocol_min": "ProtocolMin",
    "protocol_max": "ProtocolMax",
    "protocol_current": "ProtocolCur",
    "delegate_min": "DelegateMin",
    "delegate_max": "DelegateMax",
    "delegate_current": "DelegateCur",
}


class Member(msgspec.Struct, frozen=True, rename=_JSON_NAMES):
    """One member, with its gossip address and the protocol versions that it speaks. The tags must not be changed."""

    name: str
    address: str
    port: int
    tags: dict[str, str]
    status: MemberStatus
    protocol_min: int = 1
    protocol_max: int = 5
    protocol_current: int = 2
    delegate_min: int = 2
    delegate_max: int = 5
    delegate_current: int = 4


class UnknownMember(LookupError):
    """No member has this name."""
