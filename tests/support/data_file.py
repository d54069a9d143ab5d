"""Data files of the embedded engine, written and read as a start reads them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyconsul.agent.engine.contract import Engine, Loaded
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_NONE, AcceptedDamage
from pyconsul.agent.engine.history.contract import (
    HistorySlice,
    KeyHistory,
    Retention,
    Version,
    check_kept,
    newest_first,
    rows_at,
    versions_of,
)
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL, INDEXES
from pyconsul.agent.state.store import Store

HISTORY = Retention(20, 1e9, 1 << 20)
COUNT = 30


def opened(path: Path, accepted: AcceptedDamage = ACCEPT_NONE) -> EmbeddedEngine:
    return EmbeddedEngine(path, ALL, HISTORY, accepted=accepted)


async def load(path: Path, accepted: AcceptedDamage = ACCEPT_NONE) -> tuple[dict[tuple[str, Any], Any], Loaded]:
    """Return the rows of a file by table and key, as a start finds them."""
    schemas = {schema.name: schema for schema in ALL}
    engine = opened(path, accepted)
    loaded = await engine.load()
    await engine.close()
    return {(name, schemas[name].key(row)): row for name, row in loaded.rows if name != INDEXES.name}, loaded


def indexes_of(loaded: Loaded) -> dict[str, int]:
    """Return the named indexes that were loaded, "floor" among them."""
    return {row.name: row.index for table, row in loaded.rows if table == INDEXES.name}


@dataclass(frozen=True)
class History:
    """A part of the history that was read to its end."""

    slice: HistorySlice
    keys: dict[str, KeyHistory]

    def versions(self) -> list[Version]:
        """Return every version, the newest first."""
        return sorted((one for history in self.keys.values() for one in versions_of(history)), key=newest_first)

    def at(self, index: int, *, tree: bool) -> list[KVEntry]:
        """Return the rows as they were once an index was written.  Raises Pruned."""
        if tree:
            check_kept(self.slice, index)
        return rows_at(self.slice, list(self.keys.values()), index, tree=tree)


async def read_history(engine: Engine, key: str, *, tree: bool = False, after: int | None = None) -> History | None:
    """What an engine keeps of a key, or of a tree."""
    found = await engine.history(key, tree=tree, after=after)
    if found is None:
        return None
    with closing(found):
        return History(
            found, {history.key: history for page in [page async for page in found.pages] for history in page}
        )


async def fill(path: Path) -> None:
    """Write keys, each with a commit of its own."""
    engine = opened(path)
    loaded = await engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    for number in range(COUNT):
        await writer.commit(lambda txn, number=number: kv.put(txn, f"k{number}", b"value %d" % number, 0))  # type: ignore[misc]
    await engine.close()
