"""Templates in addresses, as hashicorp/go-sockaddr has them: `{{ GetPrivateIP }}`, `{{ GetInterfaceIP "eth0" }}`.

Only those that need no pipeline are filled in.
"""

from __future__ import annotations

import ipaddress
import re

from pyconsul.agent.config import host

ALLOWED = 'the templates {{ GetPrivateIP }}, {{ GetPublicIP }} and {{ GetInterfaceIP "NAME" }}'
_TEMPLATE = re.compile(r"\{\{\s*(\w+)(?:\s+[\"`]([^\"`]+)[\"`])?\s*\}\}")


def fill(text: str) -> str:
    """The text with addresses in place of templates; raises ValueError, whose text says what is allowed."""
    filled = _TEMPLATE.sub(_address, text)
    if "{{" in filled:
        raise ValueError(ALLOWED)
    return filled


def _address(match: re.Match[str]) -> str:
    function, argument = match[1], match[2]
    if function == "GetInterfaceIP" and argument:
        try:
            return host.interface_address(argument)
        except OSError:
            raise ValueError(f"a network interface with an IPv4 address; {argument!r} is none") from None
    if function in ("GetPrivateIP", "GetPublicIP") and not argument:
        address = host.outward_address()
        if ipaddress.ip_address(address).is_private == (function == "GetPrivateIP"):
            return address
        kind = "private" if function == "GetPrivateIP" else "public"
        raise ValueError(f"a host with a {kind} address; this one has {address}")
    raise ValueError(ALLOWED)
