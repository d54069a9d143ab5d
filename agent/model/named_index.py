"""A named index: the index at which something that clients wait for last changed ("nodes", "service.web", …)."""

from __future__ import annotations

import msgspec


class NamedIndex(msgspec.Struct, frozen=True, gc=False):
    """One row of the table of named indexes."""

    name: str
    index: int
