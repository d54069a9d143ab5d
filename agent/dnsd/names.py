"""Parses names in Consul's domain, and reverse names.

Forms: https://developer.hashicorp.com/consul/docs/services/discovery/dns-static-lookups
Labels are text in lower case, without the domain.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeAlias

import msgspec


class ServiceName(msgspec.Struct, frozen=True):
    """`[tag.]name.service[.dc]` or `_name._tag.service[.dc]`; an empty datacenter is the agent's own."""

    name: str
    tag: str = ""
    datacenter: str = ""
    peer: str = ""


class NodeName(msgspec.Struct, frozen=True):
    """`name.node[.dc]`; the name may have dots."""

    name: str
    datacenter: str = ""
    peer: str = ""


class QueryName(msgspec.Struct, frozen=True):
    """`name-or-id.query[.dc]` or `_name._tcp.query[.dc]`; the name may have dots."""

    name: str
    datacenter: str = ""


class AddressName(msgspec.Struct, frozen=True):
    """`<hexadecimal address>.addr[.dc]`, 4 or 16 bytes."""

    packed: bytes


class MeshName(msgspec.Struct, frozen=True):
    """`name.virtual`: a name of the service mesh, which is not supported."""


Name: TypeAlias = ServiceName | NodeName | QueryName | AddressName | MeshName

_HEX = "0123456789abcdef"
_KINDS = frozenset(("service", "connect", "virtual", "ingress", "node", "query", "addr"))


def parse(labels: Sequence[str], srv: bool = False) -> Name | None:
    """Return the parsed name of the labels before the domain, or None when nothing can have that name.

    In SRV questions a label with an underscore makes `.service` optional.
    """
    for at in range(len(labels) - 1, -1, -1):
        if labels[at] in _KINDS:
            return _of_kind(labels[at], labels[:at], labels[at + 1 :])
        if srv and labels[at].startswith("_"):
            return _service(labels[: at + 1], labels[at + 1 :])
    return None


def _of_kind(kind: str, parts: Sequence[str], suffixes: Sequence[str]) -> Name | None:
    if not parts:
        return None
    if kind == "service":
        return _service(parts, suffixes)
    if kind == "query":
        return _query(parts, suffixes)
    if kind == "addr":
        return _address(parts)
    where = locality(suffixes)
    if where is None:
        return None
    if kind == "node":
        return NodeName(".".join(parts), *where)
    return MeshName() if kind == "virtual" else None


def locality(suffixes: Sequence[str]) -> tuple[str, str] | None:
    """Return the (datacenter, peer) behind the kind: `dc1`, `dc1.dc`, `name.peer`, or nothing; None when it is none of these."""
    if len(suffixes) < 2:
        return (suffixes[0] if suffixes else ""), ""
    if len(suffixes) not in (2, 4):
        return None
    found = {"dc": "", "peer": ""}
    for value, key in zip(suffixes[::2], suffixes[1::2], strict=True):
        if key not in found:
            return None
        found[key] = value
    return None if all(found.values()) else (found["dc"], found["peer"])


def _service(parts: Sequence[str], suffixes: Sequence[str]) -> ServiceName | None:
    where = locality(suffixes)
    if where is None:
        return None
    if len(parts) == 2 and parts[0].startswith("_") and parts[1].startswith("_"):
        tag = parts[1][1:]
        return ServiceName(parts[0][1:], "" if tag == "tcp" else tag, *where)
    return ServiceName(parts[-1], ".".join(parts[:-1]), *where)


def _query(parts: Sequence[str], suffixes: Sequence[str]) -> QueryName | None:
    if len(suffixes) > 1:
        return None
    name = ".".join(parts)
    if len(parts) >= 2 and parts[0].startswith("_") and parts[-1].startswith("_"):
        name = ".".join(parts[:-1])[1:]
    return QueryName(name, suffixes[0] if suffixes else "")


def _address(parts: Sequence[str]) -> AddressName | None:
    if len(parts) != 1 or len(parts[0]) not in (8, 32) or not parts[0].isalnum():
        return None
    try:
        return AddressName(bytes.fromhex(parts[0]))
    except ValueError:
        return None


def reverse(labels: Sequence[str]) -> str | None:
    """Return the address that a name below `arpa` asks for, in its usual form; None for a part of an address."""
    try:
        if len(labels) == 6 and labels[-2] == "in-addr":
            return str(ipaddress.IPv4Address(".".join(reversed(labels[:4]))))
        if len(labels) == 34 and labels[-2] == "ip6" and all(len(one) == 1 and one in _HEX for one in labels[:32]):
            return str(ipaddress.IPv6Address(int("".join(reversed(labels[:32])), 16)))
    except ValueError:
        pass
    return None
