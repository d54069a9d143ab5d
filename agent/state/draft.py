"""A draft: the pending writes of one batch, worked out over the tables without touching them.

The writer opens a draft, runs waiting operations in it one after the other, and takes
the changeset of each.  An operation that fails is taken back, alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar

from pyconsul.agent.state.errors import Refused
from pyconsul.agent.state.table import Key, Overlay, Rows, Schema

R = TypeVar("R")


class View(Protocol):
    """The state as a reader sees it: tables by schema, and the index at which something last changed."""

    @property
    def index(self) -> int:
        """The index of the last change of all."""

    @property
    def restored(self) -> int:
        """The index at which another state last took the place of this one; 0 for never."""

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        """A table."""

    def index_of(self, *names: str) -> int:
        """The highest index at which one of the named things changed; at least 1."""

    def last_index(self, name: str) -> int | None:
        """The index at which a named thing last changed, or None when it is not known."""


class Purged(NamedTuple):
    """A key, or every key that begins with `key`, whose earlier values must not be kept anywhere."""

    key: str
    tree: bool

    def covers(self, key: str) -> bool:
        """Whether a key is meant."""
        return key.startswith(self.key) if self.tree else key == self.key


class Changeset:
    """What one operation writes, and what it wakes.

    writes: (table, key, the row or None when it is deleted), in order.
    touched: named indexes ("nodes", "service.web", …) that move to `index`; their watchers wake.
    topics: further watch topics to wake ("kv/<key>", …).
    forgotten: named indexes that cease to exist.
    purged: keys whose history up to this changeset is deleted, with it.
    stored: the rows of `writes` in their stored form, set by `codec.encode`.
    """

    __slots__ = ("forgotten", "index", "now", "purged", "stored", "topics", "touched", "writes")

    def __init__(self, index: int, now: float) -> None:
        self.index, self.now = index, now
        self.writes: list[tuple[Schema[Any], Key, Any]] = []
        self.touched: set[str] = set()
        self.topics: dict[str, None] = {}  # in order: those of a tree are sorted already
        self.forgotten: set[str] = set()
        self.purged: list[Purged] = []
        self.stored: list[Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.writes or self.touched or self.topics or self.forgotten or self.purged)


class Draft:
    """Pending changes over a view.  `index` is what the running operation's rows will carry, `now` its time (Unix seconds)."""

    def __init__(self, view: View, *, undo: bool = True) -> None:
        """`undo`: operations can be taken back one by one; without it all that can be done is to drop the draft."""
        self._view, self._keeps_undo = view, undo
        self._overlays: dict[str, Overlay[Any]] = {}
        self._undo: list[tuple[Overlay[Any], Key, Any, bool]] = []
        self._current = Changeset(0, 0.0)

    @property
    def overlays(self) -> dict[str, Overlay[Any]]:
        """The tables with pending changes, as they will look like."""
        return self._overlays

    def begin(self, index: int, now: float) -> None:
        """Start the next operation."""
        self._current = Changeset(index, now)
        self._undo.clear()

    def finish(self) -> Changeset:
        """End the operation and take what it changed."""
        return self._current

    def roll_back(self) -> None:
        """Take back everything since `begin`."""
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
        if not self._current.touched.isdisjoint(names):
            return self._current.index
        return self._view.index_of(*names)

    def last_index(self, name: str) -> int | None:
        return self._current.index if name in self._current.touched else self._view.last_index(name)

    def put(self, schema: Schema[R], row: R) -> None:
        """Write a row; it is visible to what the batch does next."""
        key = schema.key(row)
        if type(key) is not str and not (type(key) is tuple and all(type(part) is str for part in key)):
            raise Refused(f"key {key!r:.100} of {schema.name} is not text")  # its order and equality may be anything
        self._remember(schema, key).put_at(key, row)
        self._current.writes.append((schema, key, row))

    def delete(self, schema: Schema[Any], key: Key) -> None:
        """Delete the row of a key."""
        self._remember(schema, key).remove(key)
        self._current.writes.append((schema, key, None))

    def touch(self, *names: str) -> None:
        """Move named indexes to this operation's index, and wake their watchers."""
        self._current.touched.update(names)

    def wake(self, topic: str) -> None:
        """Wake the watchers of a topic that has no index of its own."""
        self._current.topics[topic] = None

    def forget(self, name: str) -> None:
        """Drop a named index; whoever watches it wakes."""
        self._current.touched.discard(name)
        self._current.forgotten.add(name)

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
