"""The addresses that an agent is told to join: `[NAME/]HOST[:PORT]`."""

from __future__ import annotations

import msgspec


class JoinAddress(msgspec.Struct, frozen=True):
    """An address to join. `name` of the node, if known, else ""; `host` is a name or an IP address without brackets."""

    name: str
    host: str
    port: int


def parse_join_address(text: str, default_port: int) -> JoinAddress:
    """Read `[NAME/]HOST[:PORT]`; an IPv6 address needs brackets only before a port. Raises ValueError."""
    name, slash, address = text.rpartition("/")
    if slash and not name:
        raise ValueError(f"address {text}: empty node name provided")
    host, port = _split(address)
    if not port:
        return JoinAddress(name, host, default_port)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 1 << 16):
        raise ValueError(f"address {text}: invalid port {port!r} (1..65535)")
    return JoinAddress(name, host, int(port))


def _split(address: str) -> tuple[str, str]:
    """Split `HOST[:PORT]` into host and port, "" for none. Raises ValueError."""
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket:
            raise ValueError(f"address {address}: missing ']' in address")
        if rest and not rest.startswith(":"):
            raise ValueError(f"address {address}: text after ']' is not a port")
        return host, rest[1:]
    if address.count(":") == 1:
        host, _, port = address.partition(":")
        return host, port
    return address, ""
