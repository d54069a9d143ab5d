"""A changeset: what one operation writes, as data."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyconsul.agent.state.contract import Key, Schema


class Purged(NamedTuple):
    """A key, or every key that begins with `key`, whose earlier values must not be kept anywhere."""

    key: str
    tree: bool

    def covers(self, key: str) -> bool:
        """Return whether the history of a key is purged."""
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
