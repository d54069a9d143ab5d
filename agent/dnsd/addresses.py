"""Chooses the address of a node or an instance for an answer (tagged addresses, `translate_wan_addrs`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire.layout import AAAA, A
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService

MAX_ADDRESS = 45  # characters of the longest IP address


def pack(text: str) -> bytes:
    """Return an IP address as 4 or 16 bytes (IPv4 within IPv6 as 4), or b"" when the text is something else."""
    return _pack(text) if len(text) <= MAX_ADDRESS else b""


@lru_cache(maxsize=1 << 16)
def _pack(text: str) -> bytes:
    if "%" in text:
        return b""  # an address with a zone means something on one machine only
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return b""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.packed


@lru_cache(maxsize=4096)
def is_public(client: str) -> bool:
    """Return whether a client's IP address is public: others can forge it, and have answers sent there."""
    try:
        found = ipaddress.ip_address(client)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_global
    return found.is_global


def of_node(node: Node, rdtype: int, settings: Settings) -> str:
    """Return a node's address for a question of a type; a host name stays one."""
    return _choose(node.address, node.tagged_addresses or {}, rdtype, _wide(node.datacenter, settings))


def of_service(service: NodeService, datacenter: str, rdtype: int, settings: Settings) -> str:
    """Return an instance's own address for a question of a type, or "" when it has none."""
    tagged = service.tagged_addresses
    if not tagged:
        return service.address
    known = {name: one.address for name, one in tagged.items()}
    return _choose(service.address, known, rdtype, _wide(datacenter, settings))


def port_of(service: NodeService, datacenter: str, settings: Settings) -> int:
    """Return an instance's port, as it is reached from here."""
    if service.tagged_addresses and _wide(datacenter, settings):
        wan = service.tagged_addresses.get("wan")
        if wan is not None and wan.port:
            return wan.port
    return service.port


def _wide(datacenter: str, settings: Settings) -> bool:
    """Return whether something in a datacenter is reached by its WAN addresses."""
    return settings.translate_wan_addrs and datacenter != settings.datacenter


def _choose(address: str, tagged: Mapping[str, str], rdtype: int, wide: bool) -> str:
    """Return the address of the asked family when there is one; for other types IPv6 goes first, then IPv4, then the address."""
    if not tagged:
        return address
    v4, v6 = tagged.get("lan_ipv4", ""), tagged.get("lan_ipv6", "")
    if wide:
        address = tagged.get("wan", address)
        v4, v6 = tagged.get("wan_ipv4", v4), tagged.get("wan_ipv6", v6)
    if v6 and rdtype != A:
        return v6
    if v4 and rdtype != AAAA:
        return v4
    return address
