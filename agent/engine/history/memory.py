"""The history of keys in memory, for an engine that keeps nothing on disk."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pyconsul.agent.engine.history.contract import OVERHEAD, Change, Kept, Past, Retention
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset, Purged
from pyconsul.agent.state.schemas import KV


class HistoryInMemory:
    """The rows of the keys as they are, and their changes."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._rows: dict[str, KVEntry] = {}
        self._changes: OrderedDict[tuple[str, int], Change] = OrderedDict()  # by key and index, the oldest first
        self._of_key: dict[str, deque[int]] = {}  # the indexes of a key's changes
        self._index = self._floor = self._epoch = self._size = 0

    def record(self, changesets: Sequence[Changeset]) -> None:
        """Keep what keys were, and take their new rows."""
        for changeset in changesets:
            for schema, key, row in changeset.writes:
                if schema is KV:
                    assert isinstance(key, str)
                    before = self._rows.pop(key, None)
                    if not key.startswith(self._retention.exclude):
                        self._add(key, Change(changeset.index, changeset.now, before))
                    if row is not None:
                        self._rows[key] = row
            for purged in changeset.purged:
                self._purge(purged)
            self._index = changeset.index
        self._drop_old(changesets[-1].now)

    def _add(self, key: str, change: Change) -> None:
        indexes = self._of_key.setdefault(key, deque())
        if indexes and indexes[-1] == change.index:
            return  # the second write of one transaction
        indexes.append(change.index)
        self._changes[key, change.index] = change
        self._size += _size(key, change)
        if len(indexes) > self._retention.versions:
            dropped = self._drop(key)
            oldest = self._changes[key, indexes[0]]
            self._changes[key, indexes[0]] = replace(oldest, since=dropped.index, since_time=dropped.time)

    def _purge(self, purged: Purged) -> None:
        for key in [key for key in self._of_key if purged.covers(key)]:
            while key in self._of_key:
                self._drop(key)

    def _drop(self, key: str) -> Change:
        """Drop a key's oldest change."""
        indexes = self._of_key[key]
        change = self._changes.pop((key, indexes.popleft()))
        if not indexes:
            del self._of_key[key]
        self._size -= _size(key, change)
        return change

    def _drop_old(self, now: float) -> None:
        cutoff = now - self._retention.age
        while self._changes:
            (key, index), change = next(iter(self._changes.items()))
            if self._size <= self._retention.size and change.time >= cutoff:
                break
            self._drop(key)
            self._floor = index

    def replace(self, rows: Iterable[KVEntry], index: int) -> None:
        """Forget everything: these rows take the place of those there were."""
        self._rows = {row.key: row for row in rows}
        self._changes.clear()
        self._of_key.clear()
        self._index = self._floor = self._epoch = index
        self._size = 0

    def read(self, key: str, tree: bool, after: int | None) -> Kept:
        """What is kept of a key, or of all that begin with it."""
        names = {name for name in self._rows.keys() | self._of_key.keys() if name.startswith(key)} if tree else {key}
        keys = {name: self._past(name, after) for name in names}
        return Kept(self._index, self._floor, self._epoch, keys, self._retention.exclude)

    def _past(self, key: str, after: int | None) -> Past:
        indexes = [index for index in self._of_key.get(key, ()) if after is None or index > after]
        kept = indexes if after is None else indexes[:1]
        return Past(self._rows.get(key), [self._changes[key, index] for index in kept])


def _size(key: str, change: Change) -> int:
    value = change.before.value if change.before is not None else None
    return OVERHEAD + len(key) + len(value or b"")
