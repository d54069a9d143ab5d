"""Large commits, which do not fit into one transaction, are written in two steps; the first is the commit.

1. The operations are staged as data below `P/E/staged/ID/`.  Then the transaction of the commit raises the index and writes the
   row `P/E/state/large` with their ID.  From then on the commit is durable.
2. They are carried out in several transactions, and the row `large` is deleted.  Meanwhile no commit and no load is possible: a
   server that needs one carries them out first, also after the death of the committing server.  Each transaction requires that
   the row `large` is unchanged, so any number of servers may repeat them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
from aetcd import rpc

from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.pages import pages

#: An operation as data: key and value of a put; key and None of a deletion; key, None and end of the deletion of a range.
Operation: TypeAlias = tuple[bytes, bytes | None, bytes | None]

CHUNK_BYTES = 1_000_000  # of one staged value, about
TRANSACTION_ROWS = 5000  # that are carried out at once, at most

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Operation]).decode


class Marker(NamedTuple):
    """The row `large`: the ID of the operations, and the revision of the commit."""

    name: str
    revision: int


def marker_of(value: bytes, revision: int) -> Marker | None:
    """Return the marker in the row `large`, or None."""
    return Marker(value.decode(), revision) if value else None


def plain(operation: Any) -> Operation:
    """Return an operation of etcd as data."""
    if operation.HasField("request_put"):
        return operation.request_put.key, operation.request_put.value, None
    return operation.request_delete_range.key, None, operation.request_delete_range.range_end or None


def chunks(operations: Sequence[Any]) -> Iterator[bytes]:
    """Return operations as values to stage."""
    chunk: list[Operation] = []
    size = 0
    for operation in map(plain, operations):
        chunk.append(operation)
        size += 16 + sum(len(part) for part in operation if part)
        if size >= CHUNK_BYTES:
            yield _encode(chunk)
            chunk, size = [], 0
    if chunk:
        yield _encode(chunk)


async def stage(client: Client, layout: Layout, name: str, operations: Sequence[Any]) -> Any:
    """Stage operations; returns the condition that they are still there.  Raises EngineError."""
    key, revision = b"", 0
    for number, value in enumerate(chunks(operations)):
        key = layout.staged_chunk(name, number)
        response = await client.write(rpc.TxnRequest(success=[transaction.put(key, value)]))
        revision = response.header.revision
    return transaction.unchanged(key, revision)


async def staged(client: Client, layout: Layout, marker: Marker) -> list[Operation]:
    """Return staged operations, as they were at the commit.  Raises RevisionCompacted, EngineError."""
    found: list[Operation] = []
    start = layout.staged_chunks(marker.name)
    async for page in pages(client, start, end_of(start), marker.revision, first=1):
        for row in page:
            found += _decode(row.value)
    return found


async def carry_out(client: Client, layout: Layout, marker: Marker, max_rows: int) -> None:
    """Carry staged operations out, unless another server has done it.  Raises EngineError."""
    unchanged = [transaction.unchanged(layout.large, marker.revision)]
    start = layout.staged_chunks(marker.name)
    async for page in pages(client, start, end_of(start), 0, first=1):
        for row in page:
            operations = _decode(row.value)
            for first in range(0, len(operations), min(max_rows, TRANSACTION_ROWS)):
                part = operations[first : first + min(max_rows, TRANSACTION_ROWS)]
                request = rpc.TxnRequest(compare=unchanged, success=[_operation(*one) for one in part])
                if not (await client.write(request)).succeeded:
                    return
    finished = [transaction.delete(layout.large), transaction.delete(layout.staged, end_of(layout.staged))]
    await client.write(rpc.TxnRequest(compare=unchanged, success=finished))


def _operation(key: bytes, value: bytes | None, end: bytes | None) -> Any:
    return transaction.delete(key, end) if value is None else transaction.put(key, value)
