"""The tags by which Consul's agents know each other: role, datacenter, node ID, versions, ports (PROTOCOL, sections 10.1, 10.2).

All values are texts. A member is a server or a client only if its tags say so without a fault; all other members are listed, but
never put into the catalog.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from pyconsul.agent.model.member import Member

SERVER_ROLE, CLIENT_ROLE = "consul", "node"
_VERSIONS = {"segment": "", "vsn": "2", "vsn_min": "2", "vsn_max": "3"}
_BUILD = re.compile(r"\d+\.\d+\.\d+")
_DIGITS = frozenset("0123456789")
#: Tags of a server that must be numbers if they are there.
_OPTIONAL_NUMBERS = ("expect", "raft_vsn", "wan_join_port", "ft_fs", "ft_si")


class ServerTags(msgspec.Struct, frozen=True, kw_only=True):
    """The description that a server gives of itself. `build`: "1.21.4:REVISION"; a port of 0 is not mentioned."""

    node_id: str
    datacenter: str
    build: str
    port: int  # RPC
    acls_enabled: bool = False
    wan_join_port: int = 0  # in the WAN pool itself always left out
    grpc_port: int = 0
    grpc_tls_port: int = 0
    #: "alone": bootstraps by itself; a number: waits for that many servers; None: joins existing ones.
    bootstrap: Literal["alone"] | int | None = None
    uses_tls: bool = False

    def for_lan(self) -> dict[str, str]:
        """Return the tags for the LAN pool."""
        tags = self.for_wan()
        if self.wan_join_port > 0:
            tags["wan_join_port"] = str(self.wan_join_port)
        return tags

    def for_wan(self) -> dict[str, str]:
        """Return the tags for the WAN pool."""
        tags = {
            "role": SERVER_ROLE,
            "dc": self.datacenter,
            "id": self.node_id,
            **_VERSIONS,
            "raft_vsn": "3",
            "build": self.build,
            "port": str(self.port),
            "acls": "1" if self.acls_enabled else "0",
            "ft_fs": "1",
            "ft_si": "1",
        }
        for name, port in (("grpc_port", self.grpc_port), ("grpc_tls_port", self.grpc_tls_port)):
            if port > 0:
                tags[name] = str(port)
        if self.bootstrap == "alone" or self.bootstrap == 1:
            tags["bootstrap"] = "1"
        elif self.bootstrap:
            tags["expect"] = str(self.bootstrap)
        if self.uses_tls:
            tags["use_tls"] = "1"
        return tags


def client_tags(*, node_id: str, datacenter: str, build: str, reconnect_timeout: str = "") -> dict[str, str]:
    """Return the tags of a client agent; `reconnect_timeout`: Go's text of a duration, if it is to be advertised."""
    tags = {"role": CLIENT_ROLE, "dc": datacenter, "id": node_id, **_VERSIONS, "build": build}
    if reconnect_timeout:
        tags["rc_tm"] = reconnect_timeout
    return tags


class Server(msgspec.Struct, frozen=True):
    """A member that is a server."""

    name: str
    node_id: str
    datacenter: str
    address: str
    port: int  # RPC
    wan_join_port: int
    build: str
    is_bootstrapped: bool  # bootstraps alone
    expect: int  # servers that it waits for; 0: none
    uses_tls: bool


def server_of(member: Member) -> Server | None:
    """Return a member as a server; None for any other member, or faulty tags."""
    tags = member.tags
    if tags.get("role") != SERVER_ROLE or not _is_number(tags.get("port")) or not _is_number(tags.get("vsn")):
        return None
    if not all(_is_number(tags[name]) for name in _OPTIONAL_NUMBERS if name in tags):
        return None
    grpc_ports = [tags[name] for name in ("grpc_port", "grpc_tls_port") if name in tags]
    if grpc_ports and not any(_is_number(port) and int(port) >= 1 for port in grpc_ports):
        return None
    if not _BUILD.search(tags.get("build", "")):
        return None
    return Server(
        name=member.name,
        node_id=tags.get("id", ""),
        datacenter=tags.get("dc", ""),
        address=member.address,
        port=int(tags["port"]),
        wan_join_port=int(tags.get("wan_join_port", 0)),
        build=tags["build"],
        is_bootstrapped="bootstrap" in tags,
        expect=int(tags.get("expect", 0)),
        uses_tls="use_tls" in tags,
    )


def is_client(member: Member) -> bool:
    """Return whether a member is a client agent of Consul."""
    return member.tags.get("role") == CLIENT_ROLE


def build_version(build: str) -> tuple[int, int, int] | None:
    """Return the version in a `build` tag as numbers, or None."""
    found = _BUILD.search(build)
    if found is None:
        return None
    major, minor, patch = (int(part[:9]) for part in found[0].split("."))
    return major, minor, patch


def _is_number(text: str | None) -> bool:
    return text is not None and 0 < len(text.removeprefix("-")) <= 9 and set(text.removeprefix("-")) <= _DIGITS
