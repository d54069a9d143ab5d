"""Addresses of status pages. Pure."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Kind
from pyconsul.agent.common.structs import struct

_ALLOWED = "use host:port, :port (all addresses) or unix:///path"


@struct(frozen=True)
class Address:
    """An address to listen at: `path` of a Unix socket; or host ("": all addresses of this machine) and port (0: any)."""

    path: str = ""
    host: str = ""
    port: int = 0


def parse_address(text: str) -> Address:
    """Parse `host:port`, `[::1]:port`, `:port`, `port` on 127.0.0.1, or `unix:///path`. Raises ValueError."""
    if text.startswith("unix://"):
        path = text.removeprefix("unix://")
        if not path.startswith("/"):
            raise ValueError(
                f"invalid address {text!r}: the path of a Unix socket is absolute, as in unix:///run/status"
            )
        return Address(path=path)
    host, colon, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    # An IPv6 address stands in brackets; without them its last part would be taken for the port.
    if not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and host[:1] != "["):
        raise ValueError(f"invalid address {text!r}: {_ALLOWED}")
    return Address(host=host.strip("[]") if colon else "127.0.0.1", port=int(port))


def _address(value: Any) -> str:
    text = str(value)
    if text:  # nothing: no pages
        parse_address(text)
    return text


ADDRESS = Kind("address", _address)
