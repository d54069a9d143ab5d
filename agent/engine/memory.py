"""The engine of `-dev`: its state ends with the process.

The engines of several servers in one process may share a `MemoryPlace`; each then sees what the others commit.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from pyconsul.agent.engine.contract import NO_LIMITS, Compacted, Conflict, Limits, Loaded
from pyconsul.agent.engine.history.contract import NO_HISTORY, HistorySlice, Retention
from pyconsul.agent.engine.history.memory import MemoryHistory
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Key
from pyconsul.agent.state.schemas import ALL, INDEXES, KV
from pyconsul.agent.state.store import floor_row

_SCHEMAS = {schema.name: schema for schema in (INDEXES, *ALL)}


class MemoryPlace:
    """What memory engines write to: rows, history, and the last changesets in their encoded form.

    epoch: number of times that another state was put in place.
    """

    def __init__(self, retention: Retention = NO_HISTORY, *, max_changesets: int = 0) -> None:
        """max_changesets: those kept for `watch`; 0: neither changesets nor rows are kept, since there is one server."""
        self.index = self.epoch = 0
        self.rows: dict[tuple[str, Key], Any] = {}
        self.changesets: deque[tuple[int, bytes]] = deque(maxlen=max_changesets)
        self.commit_ids: deque[int] = deque(maxlen=max_changesets)
        self.history = MemoryHistory(retention)
        self._watchers: list[asyncio.Future[None]] = []
        self._put(*floor_row(0))

    @property
    def is_shared(self) -> bool:
        return bool(self.changesets.maxlen)

    def append(self, batch: Sequence[Changeset], commit_id: int) -> None:
        """Raises Conflict."""
        if self.index and batch[0].index != self.index + 1:
            raise Conflict(self.index)
        self.history.record(batch)
        self.index = batch[-1].index
        if not self.is_shared:
            return
        self.commit_ids.append(commit_id)
        for changeset in batch:
            self.changesets.append((changeset.index, codec.encode(changeset)))
            for schema, key, row in changeset.writes:
                if row is None:
                    self.rows.pop((schema.name, key), None)
                else:
                    self.rows[schema.name, key] = row
            for name, index in changeset.indexes.items():
                if index is None:
                    self.rows.pop((INDEXES.name, name), None)
                else:
                    self._put(INDEXES.name, NamedIndex(name, index))
        self._wake()

    def replace(self, rows: Sequence[tuple[str, Any]], index: int) -> None:
        """Raises Conflict, LookupError for an unknown table."""
        if index <= self.index:
            raise Conflict(self.index)
        keys = {(name, _SCHEMAS[name].key(row)): row for name, row in rows}
        self.history.replace((row for table, row in rows if table == KV.name), index)
        self.index = index
        if self.is_shared:
            self.rows = keys
            self.epoch += 1
            self.changesets.clear()
            self._wake()

    def _put(self, table: str, row: Any) -> None:
        self.rows[table, _SCHEMAS[table].key(row)] = row

    async def changed(self) -> None:
        """Wait for the next commit."""
        future = asyncio.get_running_loop().create_future()
        self._watchers.append(future)
        await future

    def _wake(self) -> None:
        watchers, self._watchers = self._watchers, []
        for future in watchers:
            if not future.done():
                future.set_result(None)


class MemoryEngine:
    """Accepts every changeset that follows the last one."""

    def __init__(
        self, retention: Retention = NO_HISTORY, place: MemoryPlace | None = None, limits: Limits = NO_LIMITS
    ) -> None:
        self.limits = limits
        self.place = MemoryPlace(retention) if place is None else place
        self.commit_id = 0  # of the last commit
        self._epoch = 0  # that this engine knows
        self._replaced = 0  # the index at which this engine put another state in place

    async def load(self) -> Loaded:
        self._epoch = self.place.epoch
        return Loaded([(table, row) for (table, _), row in self.place.rows.items()], self.place.index)

    async def commit(self, batch: Sequence[Changeset]) -> int:
        if self.place.is_shared:
            self.commit_id = secrets.randbits(63)
        self.place.append(batch, self.commit_id)
        return batch[-1].index

    async def took_effect(self, commit_id: int) -> bool:
        return commit_id in self.place.commit_ids

    async def barrier(self) -> int:
        return self.place.index

    async def watch(self, after: int) -> AsyncIterator[Changeset]:
        place = self.place
        while True:
            if place.epoch != self._epoch:
                raise Compacted("another server has put another state in place")
            after = max(after, self._replaced)
            if after >= place.index:
                await place.changed()
                continue
            pending = [data for index, data in place.changesets if index > after]
            if len(pending) < place.index - after:
                raise Compacted(f"the changes after index {after} are not kept any more")
            for data in pending:
                changeset = codec.decode(data, _SCHEMAS)
                after = changeset.index
                yield changeset

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        self.place.replace(list(rows), index)
        self._epoch, self._replaced = self.place.epoch, index

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        history = self.place.history
        return history.read(key, tree, after) if history.on else None

    async def retain(self, retention: Retention, now: float) -> None:
        self.place.history.retain(retention, now)

    async def close(self) -> None:
        pass
