"""The engine of `-dev`: nothing outlives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyconsul.agent.engine.contract import Loaded
from pyconsul.agent.engine.history.contract import NOTHING, Kept, Retention
from pyconsul.agent.engine.history.memory import HistoryInMemory
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV


class MemoryEngine:
    """Accepts every changeset at once and forgets it, but for the history of keys if one is wanted."""

    _history: HistoryInMemory | None = None

    def __init__(self, retention: Retention = NOTHING) -> None:
        if retention.on:
            self._history = HistoryInMemory(retention)

    def load(self) -> Loaded:
        return Loaded((), 0)

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        if self._history is not None:
            self._history.record(changesets)
        return changesets[-1].index

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        if self._history is not None:
            self._history.replace((row for table, row in rows if table == KV.name), index)

    async def kv_history(self, key: str, *, tree: bool = False, after: int | None = None) -> Kept | None:
        return None if self._history is None else self._history.read(key, tree, after)

    async def close(self) -> None:
        pass
