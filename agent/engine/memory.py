"""The engine of `-dev`: it keeps nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyconsul.agent.engine.contract import Loaded
from pyconsul.agent.state.draft import Changeset


class MemoryEngine:
    """Accepts every changeset at once and forgets it."""

    def load(self) -> Loaded:
        return Loaded((), 0)

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        return changesets[-1].index

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        pass

    async def close(self) -> None:
        pass
