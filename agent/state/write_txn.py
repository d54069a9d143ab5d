"""A write transaction: the pending writes of one batch, computed over the tables without changing them.

The writer begins a transaction, runs waiting operations in it one after the other, and takes the changeset of each.
An operation that fails is rolled back alone.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset, Purged
from pyconsul.agent.state.contract import Key, Refused, Rows, Schema, View
from pyconsul.agent.state.table import Overlay

R = TypeVar("R")


class WriteTxn:
    """Pending changes over a view.  `index` is the one of the running operation's rows, `now` its time (Unix seconds)."""

    def __init__(self, view: View, *, undo: bool = True) -> None:
        """`undo`: operations can be rolled back one by one; without it the transaction can only be dropped as a whole."""
        self._view, self._keeps_undo = view, undo
        self._overlays: dict[str, Overlay[Any]] = {}
        self._undo: list[tuple[Overlay[Any], Key, Any, bool]] = []
        self._earlier: dict[str, int | None] = {}  # named indexes that earlier operations of the batch changed
        self._current = Changeset(0, 0.0)

    @property
    def overlays(self) -> dict[str, Overlay[Any]]:
        """Return the changed tables, with their pending rows."""
        return self._overlays

    def begin(self, index: int, now: float) -> None:
        """Start the next operation; it sees what those before it wrote, unless they were rolled back."""
        if self._current.indexes:
            self._earlier.update(self._current.indexes)
        self._current = Changeset(index, now)
        self._undo.clear()

    def finish(self) -> Changeset:
        """End the operation and return what it changed."""
        return self._current

    def roll_back(self) -> None:
        """Undo everything since `begin`."""
        for overlay, key, row, was_pending in reversed(self._undo):
            overlay.restore(key, row, was_pending)
        self._undo.clear()
        self._current = Changeset(self._current.index, self._current.now)

    @property
    def index(self) -> int:
        return self._current.index

    @property
    def now(self) -> float:
        return self._current.now

    @property
    def restored(self) -> int:
        return self._view.restored

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        overlay = self._overlays.get(schema.name)
        return overlay if overlay is not None else self._view[schema]

    def index_of(self, *names: str) -> int:
        return max(self._index_of(name) for name in names) if names else 1

    def _index_of(self, name: str) -> int:
        for changed in (self._current.indexes, self._earlier):
            if name in changed:
                return changed[name] or self._view.index_of("")
        return self._view.index_of(name)

    def last_index(self, name: str) -> int | None:
        for changed in (self._current.indexes, self._earlier):
            if name in changed:
                return changed[name] or self._view.last_index("")
        return self._view.last_index(name)

    def put(self, schema: Schema[R], row: R) -> None:
        """Write a row; the next operations of the batch see it."""
        key = schema.key(row)
        if type(key) is not str and not (type(key) is tuple and all(type(part) is str for part in key)):
            raise Refused(f"key {key!r:.100} of {schema.name} is not text")  # its order and equality may be anything
        self._remember(schema, key).put_at(key, row)
        self._current.writes.append((schema, key, row))

    def delete(self, schema: Schema[Any], key: Key) -> None:
        """Delete the row of a key."""
        self._remember(schema, key).remove(key)
        self._current.writes.append((schema, key, None))

    def raise_index(self, *names: str) -> None:
        """Raise named indexes to this operation's index; their watchers wake."""
        indexes, index = self._current.indexes, self._current.index
        for name in names:
            indexes[name] = index

    def drop_index(self, name: str) -> None:
        """Drop a named index; its watchers wake."""
        self._current.indexes[name] = None

    def keep_version(self, key: str, before: KVEntry | None) -> None:
        """Add the row of a KV key before this operation to its history."""
        self._current.history.setdefault(key, before)

    def purge(self, key: str, *, tree: bool = False) -> None:
        """Delete the history of a key, or of every key that begins with `key`."""
        self._current.purged.append(Purged(key, tree))

    def _remember(self, schema: Schema[R], key: Key) -> Overlay[R]:
        overlay = self._overlays.get(schema.name)
        if overlay is None:
            overlay = self._overlays[schema.name] = Overlay(self._view[schema], schema)
        if self._keeps_undo:
            self._undo.append((overlay, key, *overlay.pending(key)))
        return overlay
