"""A changeset: what one operation writes, as data.

It holds all that another server needs to reach the same state: rows, named indexes, and history rows.  The watch topics that it
concerns follow from its rows and indexes (see `contract.Schema.topics`).
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.contract import Key, Schema

StoredRow: TypeAlias = tuple[str, str, bytes | None]  # table, key, and the encoded row; None when it is deleted


class Purged(NamedTuple):
    """A key, or every key that begins with `key`, whose earlier values must not be kept anywhere."""

    key: str
    tree: bool

    def covers(self, key: str) -> bool:
        """Return whether the history of a key is purged."""
        return key.startswith(self.key) if self.tree else key == self.key


class Changeset:
    """The changes of one operation, made at an index and a time (Unix seconds).

    first: the index of the first operation; lower than `index` when an engine has folded several into one changeset.
    writes: (table, primary key, the row or None when it is deleted), in order.
    indexes: named indexes by their new value, None for one that is dropped: rows of the table `schemas.INDEXES`.
    history: the row that each written KV key had before; None when it did not exist.
    purged: keys whose history up to this changeset is deleted, after `history` is added.
    stored: the rows of `writes` in their stored form, set by `codec.store_rows`.
    """

    __slots__ = ("first", "history", "index", "indexes", "now", "purged", "stored", "writes")

    def __init__(self, index: int, now: float, *, first: int = 0) -> None:
        """first: by default `index`."""
        self.index, self.now, self.first = index, now, first or index
        self.writes: list[tuple[Schema[Any], Key, Any]] = []
        self.indexes: dict[str, int | None] = {}
        self.history: dict[str, KVEntry | None] = {}
        self.purged: list[Purged] = []
        self.stored: list[StoredRow] | None = None

    def __bool__(self) -> bool:
        return bool(self.writes or self.indexes or self.purged)
