"""IP addresses between the bytes of the protocol and text."""

from __future__ import annotations

import ipaddress

from pyconsul.agent.model.member import Member


def ip_text(ip: bytes) -> str:
    """Return the text of an address, an IPv4 address within IPv6 as IPv4; "?" and hex, as Go does, if it is invalid."""
    if len(ip) not in (4, 16):
        return "?" + ip.hex()
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def ip_bytes(address: str) -> bytes:
    """Return the bytes of an address from `ip_text`."""
    return bytes.fromhex(address[1:]) if address.startswith("?") else ipaddress.ip_address(address).packed


def host_port(member: Member) -> str:
    """Return "ADDRESS:PORT", an IPv6 address in brackets."""
    address = f"[{member.address}]" if ":" in member.address else member.address
    return f"{address}:{member.port}"
