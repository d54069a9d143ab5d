"""The history of keys in etcd: one row for each change of a key.

Its key is `P/E/history/`, the key of the KV store with NUL and \\x01 escaped (so that changes stand in the order of their
keys), NUL, and a suffix of three hexadecimal numbers: index (16 digits), time in milliseconds (12), and size in bytes (8).  So
the leader finds what is too old, too much, or too large without reading a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.transaction import delete, put
from pyconsul.agent.engine.history.contract import OVERHEAD_BYTES, Change, Retention
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset, Purged

_ESCAPED = {0: "\x01\x01", 1: "\x01\x02"}  # keeps the order
_ESCAPE = re.compile(b"\x01.", re.DOTALL)
_SUFFIX = 36  # digits after the NUL


class Coverage(msgspec.Struct, frozen=True, array_like=True):
    """Coverage of the history: every change after the index `floor`, except of keys that begin with a prefix of `exclude`.

    epoch: the index at which another state was put in place.  off: some server keeps no history.
    """

    floor: int = 0
    epoch: int = 0
    off: bool = False
    exclude: tuple[str, ...] = ()


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """The value of a row; see `history.contract.Change`."""

    time: float
    before: KVEntry | None
    since: int | None
    since_time: float | None


class Mark(msgspec.Struct, frozen=True):
    """The fields in the key of a row; `time` in Unix seconds, `size` in bytes."""

    key: str
    index: int
    time: float
    size: int
    row: bytes  # the key of the row itself


def escaped(key: str) -> bytes:
    """Return a key of the KV store, or a prefix of one, as it stands in the key of a row."""
    return (key.translate(_ESCAPED) if "\0" in key or "\x01" in key else key).encode()


def row_key(layout: Layout, key: str, change: Change) -> bytes:
    """Return the key of a row."""
    value = change.before.value if change.before is not None else None
    size = OVERHEAD_BYTES + len(key.encode()) + len(value or b"")
    return b"%s%s\0%016x%012x%08x" % (layout.history, escaped(key), change.index, int(change.time * 1000), size)


def row_value(change: Change) -> bytes:
    """Return the value of a row."""
    return msgspec.msgpack.encode(_Row(change.time, change.before, change.since, change.since_time))


def read_mark(layout: Layout, row: bytes) -> Mark:
    """Return the fields in the key of a row."""
    suffix = row[-_SUFFIX:]
    key = _ESCAPE.sub(_unescaped, row[len(layout.history) : -_SUFFIX - 1]).decode()
    return Mark(key, int(suffix[:16], 16), int(suffix[16:28], 16) / 1000, int(suffix[28:], 16), row)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return b"\0" if match[0] == b"\x01\x01" else b"\x01"


def read_change(mark: Mark, value: bytes) -> Change:
    """Return the change of a row.  Raises msgspec.MsgspecError."""
    row = msgspec.msgpack.decode(value, type=_Row)
    return Change(mark.index, row.time, row.before, row.since, row.since_time)


def range_of(layout: Layout, key: str, *, tree: bool) -> tuple[bytes, bytes]:
    """Return the range of the rows of a key or, for a tree, of all keys that begin with it."""
    start = layout.history + escaped(key)
    return (start, end_of(start)) if tree else (start + b"\0", start + b"\x01")


def operations(
    layout: Layout, batch: Sequence[Changeset], kept: Retention, covered: Coverage
) -> tuple[list[Any], Coverage]:
    """Return the operations of a commit on the history, and the coverage after it."""
    found, coverage = change_coverage(layout, batch[0].first - 1, kept, covered)
    if not kept.on:
        return found, coverage
    purged = [one for changeset in batch for one in changeset.purged]
    found += [delete(*range_of(layout, one.key, tree=one.tree)) for one in purged]
    return found + _puts(layout, batch, kept.exclude, purged), coverage


def change_coverage(layout: Layout, index: int, kept: Retention, covered: Coverage) -> tuple[list[Any], Coverage]:
    """Return the operations that change the coverage to these limits after an index, and the new coverage."""
    if not kept.on:
        if covered.off:
            return [], covered
        coverage = Coverage(index, covered.epoch, off=True)
        return [delete(layout.history, end_of(layout.history)), write_coverage(layout, coverage)], coverage
    if not covered.off and set(covered.exclude) == set(kept.exclude):
        return [], covered
    coverage = Coverage(floor_of(covered, kept, index), covered.epoch, exclude=tuple(sorted(kept.exclude)))
    added = sorted(set(kept.exclude) - set(covered.exclude))
    deleted = [delete(*range_of(layout, prefix, tree=True)) for prefix in added]
    return [*deleted, write_coverage(layout, coverage)], coverage


def floor_of(covered: Coverage, kept: Retention, index: int) -> int:
    """Return after which index every change is kept, with these limits; `index`: of the last commit."""
    if covered.off or not set(covered.exclude) <= set(kept.exclude):
        return index  # some keys had no history up to now
    return covered.floor


def _puts(layout: Layout, batch: Sequence[Changeset], exclude: tuple[str, ...], purged: Iterable[Purged]) -> list[Any]:
    """Return the new rows; a changeset with purged keys is the last of its batch, so that none of theirs is written."""
    found = []
    for changeset in batch:
        for key, entry in changeset.history.items():
            if not key.startswith(exclude) and not any(one.covers(key) for one in purged):
                change = Change(changeset.index, changeset.now, entry)
                found.append(put(row_key(layout, key, change), row_value(change)))
    return found


def write_coverage(layout: Layout, coverage: Coverage) -> Any:
    """Return the operation that stores a coverage."""
    return put(layout.history_coverage, msgspec.msgpack.encode(coverage))


def read_coverage(value: bytes) -> Coverage:
    """Return a stored coverage; a new cluster has none."""
    return msgspec.msgpack.decode(value, type=Coverage) if value else Coverage()
