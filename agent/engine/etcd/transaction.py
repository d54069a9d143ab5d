"""A batch of changesets as one transaction of etcd.

etcd refuses a transaction that writes a key twice, so only the last state of each row and named index is written.  The transaction
is carried out if, and only if, no commit was made since the state from which the batch was computed (the revision of the row
`index`), this server's own last commit is the one that it knows of (so that a commit whose answer was lost can be given up for
good), no large commit is being carried out, and no other epoch was put in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from aetcd import rpc

from pyconsul.agent.engine.etcd.layout import Layout
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset


class Known(NamedTuple):
    """Known revisions of the rows `index` and `commits/SERVER`; 0 for a missing row."""

    index_revision: int
    own_revision: int


def put(key: bytes, value: bytes) -> Any:
    """Return the operation that writes a key."""
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value))


def delete(key: bytes, end: bytes | None = None) -> Any:
    """Return the operation that deletes a key, or a range."""
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key, range_end=end))


def get(key: bytes) -> Any:
    """Return the operation that reads a key."""
    return rpc.RequestOp(request_range=rpc.RangeRequest(key=key))


def unchanged(key: bytes, revision: int) -> Any:
    """Return the condition that a key was last written at a revision; 0: that it does not exist."""
    return rpc.Compare(
        key=key, target=rpc.Compare.CompareTarget.MOD, result=rpc.Compare.CompareResult.EQUAL, mod_revision=revision
    )


def has_value(key: bytes, value: bytes) -> Any:
    """Return the condition that a key has a value."""
    return rpc.Compare(
        key=key, target=rpc.Compare.CompareTarget.VALUE, result=rpc.Compare.CompareResult.EQUAL, value=value
    )


def conditions(layout: Layout, known: Known) -> list[Any]:
    """Return the conditions of a commit."""
    return [
        has_value(layout.pointer, layout.epoch.encode()),
        unchanged(layout.index, known.index_revision),
        unchanged(layout.own_commit, known.own_revision),
        unchanged(layout.large, 0),
    ]


def operations_of(layout: Layout, batch: Sequence[Changeset]) -> list[Any]:
    """Return the operations that write the rows and named indexes of a commit."""
    rows: dict[tuple[str, str], bytes | None] = {}
    named: dict[str, int | None] = {}
    for changeset in batch:
        for table, key, data in codec.store_rows(changeset):
            rows[table, key] = data
        named.update(changeset.indexes)
    written = [
        delete(layout.row(table, key)) if data is None else put(layout.row(table, key), data)
        for (table, key), data in rows.items()
    ]
    return written + [
        delete(layout.named_index(name)) if index is None else put(layout.named_index(name), b"%d" % index)
        for name, index in named.items()
    ]


def commit(layout: Layout, known: Known, batch: Sequence[Changeset], commit_id: int, operations: Iterable[Any]) -> Any:
    """Return the transaction of a commit; when a condition fails, it reads the fields of `Refusal`."""
    written = [
        put(layout.index, b"%d %d %.3f" % (batch[0].first, batch[-1].index, batch[-1].now)),
        put(layout.own_commit, b"%d" % commit_id),
        *operations,
    ]
    return rpc.TxnRequest(compare=conditions(layout, known), success=written, failure=why_not(layout))


class Refusal(NamedTuple):
    """The reason for a failed condition: the current epoch, the last index, and the row of a large commit being carried out."""

    epoch: str
    last: int
    large: tuple[bytes, int]


def why_not(layout: Layout) -> list[Any]:
    """Return the operations that read a `Refusal`."""
    return [get(layout.pointer), get(layout.index), get(layout.large)]


def refusal_of(response: Any) -> Refusal:
    """Return the refusal in the response to a transaction."""
    return Refusal(value_of(response, 0)[0].decode(), last_index(value_of(response, 1)[0]), value_of(response, 2))


@lru_cache(maxsize=2)
def read_index(layout: Layout) -> Any:
    """Return the transaction that reads the pointer and the index, made once for a layout: every barrier sends it."""
    return rpc.TxnRequest(success=[get(layout.pointer), get(layout.index)])


def value_of(response: Any, number: int) -> tuple[bytes, int]:
    """Return value and revision of the key that the operation `number` of a transaction has read; (b"", 0) for none."""
    found = response.responses[number].response_range.kvs
    return (found[0].value, found[0].mod_revision) if found else (b"", 0)


def last_index(value: bytes) -> int:
    """Return the index in a row `index`; 0 for no row."""
    return int(value.split()[1]) if value else 0
