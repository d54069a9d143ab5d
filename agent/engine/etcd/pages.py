"""Ranges of etcd, read a page at a time at one revision, so that neither side holds everything at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aetcd import rpc

from pyconsul.agent.engine.etcd.client import Client

FIRST_ROWS = 256
MAX_ROWS = 4096
PAGE_BYTES = 4 << 20  # aimed at


async def pages(
    client: Client, key: bytes, end: bytes, revision: int, *, keys_only: bool = False, first: int = FIRST_ROWS
) -> AsyncIterator[Sequence[Any]]:
    """Return the rows of a range, in order of their keys; `first`: rows of the first page.

    Raises RevisionCompacted, Rejected, Unreachable.
    """
    limit = first
    while True:
        request = rpc.RangeRequest(key=key, range_end=end, revision=revision, limit=limit, keys_only=keys_only)
        response = await client.range(request)
        if response.kvs:
            yield response.kvs
        if not response.more:
            return
        key = response.kvs[-1].key + b"\0"
        fitting = PAGE_BYTES // max(1, response.ByteSize() // len(response.kvs))
        limit = max(1, min(4 * limit, MAX_ROWS, fitting))
