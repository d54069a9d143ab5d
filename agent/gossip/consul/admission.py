"""Consul's merge checks: which nodes may be in a pool (PROTOCOL, section 10.3).

| pool | refused | reason |
| --- | --- | --- |
| both | an address outside `serf_…_allowed_cidrs` | Member 'x' has an address outside the allowed networks: 10.0.0.1 |
| LAN | the node ID of this agent under another name | Member 'x' has conflicting node ID '…' with this agent's ID |
| LAN | two nodes of one merge with one ID | Member 'x' has conflicting node ID '…' with member 'y' |
| LAN | a client or server of another datacenter | Member 'x' part of wrong datacenter 'dc2' |
| WAN | a node that is not a server | Member 'x' is not a server |
| WAN | a server of another datacenter, as this version connects none | Member 'x' part of wrong datacenter 'dc2' |

Nodes that left, and builds before 0.8.5, are not checked for their IDs. A node by itself (an alive message) is checked likewise:
refused, it is ignored; in the push/pull of a join it makes the whole join fail. The texts are recorded from Consul.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from pyconsul.agent.gossip.consul.tags import build_version, is_client, server_of
from pyconsul.agent.gossip.serf.addresses import ip_text
from pyconsul.agent.gossip.serf.members import Node, member_of
from pyconsul.agent.gossip.wire.messages import STATE_LEFT
from pyconsul.agent.model.member import Member

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
MIN_UNIQUE_ID_BUILD = (0, 8, 5)


class StatedNode(Node, Protocol):
    """A node with the state that a peer knows."""

    @property
    def state(self) -> int: ...


class _Admission:
    """The checks of both pools. `allowed`: networks of admitted addresses; None admits all."""

    def __init__(self, allowed: Sequence[Network] | None = None) -> None:
        self._allowed = allowed

    def admits_address(self, ip: bytes) -> bool:
        """Return whether packets from an address are to be read, and members with it admitted."""
        if self._allowed is None:
            return True
        try:
            address = ipaddress.ip_address(ip_text(ip))
        except ValueError:
            return False
        return any(address in network for network in self._allowed)

    def refuse(self, node: StatedNode) -> str:
        """Return why a node may not be a member; "" to admit it."""
        return self.refuse_merge((node,))

    def refuse_merge(self, nodes: Iterable[StatedNode]) -> str:
        """Return why the pool of a joining peer may not be merged with this one; "" to admit it."""
        members: list[tuple[Member, bool]] = []
        for node in nodes:
            if not self.admits_address(node.ip):
                return f"Member '{node.name}' has an address outside the allowed networks: {ip_text(node.ip)}"
            members.append((member_of(node)[0], node.state == STATE_LEFT))
        return self._refuse(members)

    def is_same(self, known: Node, node: Node) -> bool:
        """Return whether two nodes have one node ID: a machine that came back with another address."""
        node_id = member_of(node)[0].tags.get("id", "")
        return bool(node_id) and member_of(known)[0].tags.get("id") == node_id

    def _refuse(self, members: Iterable[tuple[Member, bool]]) -> str:
        """Check members; True stands beside those that left."""
        raise NotImplementedError


class LanAdmission(_Admission):
    """The checks of the LAN pool of one datacenter."""

    def __init__(
        self, *, datacenter: str, node_name: str, node_id: str, allowed: Sequence[Network] | None = None
    ) -> None:
        super().__init__(allowed)
        self._datacenter, self._node_name, self._node_id = datacenter, node_name, node_id

    def _refuse(self, members: Iterable[tuple[Member, bool]]) -> str:
        owners: dict[str, str] = {}
        for member, has_left in members:
            reason = ("" if has_left else self._refuse_id(member, owners)) or self._refuse_datacenter(member)
            if reason:
                return reason
        return ""

    def _refuse_id(self, member: Member, owners: dict[str, str]) -> str:
        node_id = member.tags.get("id", "")
        version = build_version(member.tags.get("build", ""))
        if not node_id or version is None or version < MIN_UNIQUE_ID_BUILD:
            return ""
        if node_id == self._node_id and member.name != self._node_name:
            return f"Member '{member.name}' has conflicting node ID '{node_id}' with this agent's ID"
        owner = owners.setdefault(node_id, member.name)
        return (
            ""
            if owner == member.name
            else f"Member '{member.name}' has conflicting node ID '{node_id}' with member '{owner}'"
        )

    def _refuse_datacenter(self, member: Member) -> str:
        datacenter = member.tags.get("dc", "")
        if datacenter != self._datacenter and (is_client(member) or server_of(member)):
            return f"Member '{member.name}' part of wrong datacenter '{datacenter}'"
        return ""


class WanAdmission(_Admission):
    """The checks of the WAN pool. `datacenter`: that of this agent."""

    def __init__(self, datacenter: str, allowed: Sequence[Network] | None = None) -> None:
        super().__init__(allowed)
        self._datacenter = datacenter

    def _refuse(self, members: Iterable[tuple[Member, bool]]) -> str:
        for member, _ in members:
            server = server_of(member)
            if server is None:
                return f"Member '{member.name}' is not a server"
            if server.datacenter != self._datacenter:
                return f"Member '{member.name}' part of wrong datacenter '{server.datacenter}'"
        return ""
