"""Replace the whole state: write its rows into a new epoch, then move the pointer, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aetcd import rpc

from pyconsul.agent.engine.contract import Limits
from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.history import changes
from pyconsul.agent.engine.etcd.history.changes import Coverage
from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.transaction import Known
from pyconsul.agent.engine.history.contract import HistorySlice
from pyconsul.agent.state import codec
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import INDEXES

_ROWS = 1000  # of one transaction, at most
_SIZE_BYTES = 1_000_000


async def prepare(
    client: Client,
    layout: Layout,
    operations: Iterable[Any],
    index: int,
    now: float,
    limits: Limits,
    coverage: Coverage,
) -> int:
    """Write the rows of a new epoch before it is current; returns the revision of its index.  Raises EngineError."""
    await _write(client, operations, limits)
    written = transaction.put(layout.index, b"%d %d %.3f" % (index, index, now))
    response = await client.write(rpc.TxnRequest(success=[written, changes.write_coverage(layout, coverage)]))
    revision: int = response.header.revision
    return revision


async def write_history(client: Client, layout: Layout, history: HistorySlice, limits: Limits) -> None:
    """Write the changes of keys into a new epoch.  Raises EngineError."""
    async for page in history.pages:
        rows = ((changes.row_key(layout, key.key, change), change) for key in page for change in key.changes)
        await _write(client, (transaction.put(key, changes.row_value(change)) for key, change in rows), limits)


async def _write(client: Client, operations: Iterable[Any], limits: Limits) -> None:
    for batch in _batches(operations, limits):
        await client.write(rpc.TxnRequest(success=batch))


def operations_of(layout: Layout, rows: Iterable[tuple[str, Any]], schemas: Mapping[str, Schema[Any]]) -> list[Any]:
    """Return the operations that write rows.  Raises LookupError for an unknown table, Refused for a bad row."""
    others, named = [], []
    for table, row in rows:
        if table == INDEXES.name:
            named.append(transaction.put(layout.named_index(row.name), b"%d" % row.index))
        else:
            others.append((schemas[table], row))
    stored = codec.stored_rows(others)
    return named + [transaction.put(layout.row(table, key), data or b"") for table, key, data in stored]


def _batches(operations: Iterable[Any], limits: Limits) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for operation in operations:
        length = operation.ByteSize()
        if batch and (len(batch) >= min(limits.rows, _ROWS) or size + length > min(limits.size_bytes, _SIZE_BYTES)):
            yield batch
            batch, size = [], 0
        batch.append(operation)
        size += length
    if batch:
        yield batch


def flip(old: Layout, known: Known, new: Layout, new_revision: int) -> Any:
    """Return the transaction that moves the pointer, unless a commit was made, or the new epoch was removed."""
    conditions = [*transaction.conditions(old, known), transaction.unchanged(new.index, new_revision)]
    return rpc.TxnRequest(
        compare=conditions,
        success=[transaction.put(old.pointer, new.epoch.encode())],
        failure=transaction.why_not(old),
    )


async def remove(client: Client, layout: Layout) -> None:
    """Delete an epoch that is not the current one.  Raises EngineError."""
    await client.delete(layout.root, end_of(layout.root))
