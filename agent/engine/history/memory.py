"""The history of KV keys in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from msgspec.structs import replace

from pyconsul.agent.engine.history.contract import (
    OVERHEAD_BYTES,
    PAGE_KEYS,
    Change,
    HistorySlice,
    KeyHistory,
    Retention,
)
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset, Purged
from pyconsul.agent.state.schemas import KV


class MemoryHistory:
    """The rows of the keys as they are, and their changes, unless the limits turn the history off."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._rows: dict[str, KVEntry] = {}
        self._changes: OrderedDict[tuple[str, int], Change] = OrderedDict()  # by key and index, the oldest first
        self._of_key: dict[str, deque[int]] = {}  # the indexes of a key's changes
        self._index = self._floor = self._epoch = self._size_bytes = 0

    @property
    def on(self) -> bool:
        """Return whether a history is kept at all."""
        return self._retention.on

    def retain(self, retention: Retention, now: float) -> None:
        """Use other limits from now on, and drop what is beyond them; see `Engine.retain`."""
        before, self._retention = self._retention, retention
        if not retention.on:
            self._clear()
            return
        if not before.on or any(not prefix.startswith(retention.exclude) for prefix in before.exclude):
            self._floor = self._index
        for key in list(self._of_key):
            if key.startswith(retention.exclude):
                self._drop_all(key)
            else:
                self._limit_versions(key)
        self._drop_old(now)

    def record(self, batch: Sequence[Changeset]) -> None:
        """Add the history rows of changesets, and take the new rows of keys."""
        for changeset in batch:
            if self.on:
                for key, before in changeset.history.items():
                    if not key.startswith(self._retention.exclude):
                        self._add(key, Change(changeset.index, changeset.now, before))
            for schema, written, row in changeset.writes:
                if schema is KV and isinstance(written, str):
                    self._rows.pop(written, None)
                    if row is not None:
                        self._rows[written] = row
            for purged in changeset.purged:
                self._purge(purged)
            self._index = changeset.index
        self._drop_old(batch[-1].now)

    def _add(self, key: str, change: Change) -> None:
        indexes = self._of_key.setdefault(key, deque())
        indexes.append(change.index)
        self._changes[key, change.index] = change
        self._size_bytes += _size_bytes(key, change)
        self._limit_versions(key)

    def _limit_versions(self, key: str) -> None:
        indexes = self._of_key[key]
        while len(indexes) > self._retention.versions:
            dropped = self._drop(key)
            oldest = self._changes[key, indexes[0]]
            self._changes[key, indexes[0]] = replace(oldest, since=dropped.index, since_time=dropped.time)

    def _purge(self, purged: Purged) -> None:
        for key in [key for key in self._of_key if purged.covers(key)]:
            self._drop_all(key)

    def _drop_all(self, key: str) -> None:
        while key in self._of_key:
            self._drop(key)

    def _clear(self) -> None:
        self._changes.clear()
        self._of_key.clear()
        self._size_bytes = 0

    def _drop(self, key: str) -> Change:
        """Drop a key's oldest change."""
        indexes = self._of_key[key]
        change = self._changes.pop((key, indexes.popleft()))
        if not indexes:
            del self._of_key[key]
        self._size_bytes -= _size_bytes(key, change)
        return change

    def _drop_old(self, now: float) -> None:
        cutoff = now - self._retention.age_s
        while self._changes:
            (key, index), change = next(iter(self._changes.items()))
            if self._size_bytes <= self._retention.size_bytes and change.time >= cutoff:
                break
            self._drop(key)
            self._floor = index

    def replace(self, rows: Iterable[KVEntry], index: int) -> None:
        """Forget everything; these rows take the place of the current ones."""
        self._rows = {row.key: row for row in rows}
        self._clear()
        self._index = self._floor = self._epoch = index

    def read(self, key: str, tree: bool, after: int | None) -> HistorySlice:
        """Return what is kept of a key, or of all that begin with it."""
        names = {name for name in (*self._rows, *self._of_key) if name.startswith(key)} if tree else {key}
        found = {name: indexes.copy() for name in names if (indexes := self._of_key.get(name))}
        slice_ = self._pages(sorted(names), found, self._index, after)
        return HistorySlice(self._index, self._floor, self._epoch, slice_, lambda: None, self._retention.exclude)

    async def _pages(
        self, names: Sequence[str], indexes: Mapping[str, Sequence[int]], index: int, after: int | None
    ) -> AsyncIterator[list[KeyHistory]]:
        for start in range(0, len(names), PAGE_KEYS):
            page = names[start : start + PAGE_KEYS]
            yield [self._key_history(name, indexes.get(name, ()), index, after) for name in page]

    def _key_history(self, key: str, indexes: Sequence[int], index: int, after: int | None) -> KeyHistory:
        """Return a key as it is or, when it was written since the slice was taken at `index`, as it was then."""
        newer = next((number for number in self._of_key.get(key, ()) if number > index), None)
        current = self._rows.get(key) if newer is None else self._changes[key, newer].before
        wanted = [number for number in indexes if after is None or number > after]
        found = [self._changes.get((key, number)) for number in (wanted if after is None else wanted[:1])]
        return KeyHistory(key, current, [change for change in found if change is not None])


def _size_bytes(key: str, change: Change) -> int:
    value = change.before.value if change.before is not None else None
    return OVERHEAD_BYTES + len(key) + len(value or b"")
