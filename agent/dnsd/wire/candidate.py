"""An instance as answers need it: addresses, names and texts in their form on the wire."""

from __future__ import annotations

import msgspec

from pyconsul.agent.dnsd.wire.layout import AAAA, A


class Endpoint(msgspec.Struct, frozen=True):
    """The address of an instance.

    packed: its IP address, or b"" when it is known by `host`, a name on the wire.  stem: the labels by which SRV
    names the address, without the domain.  fallback: the node's IP address, for when the host is the name asked for.
    """

    packed: bytes
    stem: bytes
    host: bytes = b""
    fallback: bytes = b""
    fallback_stem: bytes = b""


class Candidate(msgspec.Struct, frozen=True):
    """An instance.

    key: (node, address, port); instances with the same key are one SRV record.  place: its weight and port, as SRV has them.
    named: the labels of its node's name, or b"" when DNS cannot have it.  texts: TXT data of its node.
    """

    key: tuple[str, str, int]
    tags: frozenset[str]
    place: bytes
    named: bytes
    texts: tuple[bytes, ...]
    a: Endpoint | None
    aaaa: Endpoint | None
    any: Endpoint | None

    def endpoint(self, rdtype: int) -> Endpoint | None:
        """Return the address for a question of a type."""
        return self.a if rdtype == A else self.aaaa if rdtype == AAAA else self.any
