"""Data files of the embedded engine, written and read as a start reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyconsul.agent.engine.contract import Loaded
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import NOTHING, Spare
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.store import Store

HISTORY = Retention(20, 1e9, 1 << 20)
COUNT = 30


def opened(path: Path, spare: Spare = NOTHING) -> EmbeddedEngine:
    return EmbeddedEngine(path, ALL, HISTORY, spare=spare)


async def load(path: Path, spare: Spare = NOTHING) -> tuple[dict[tuple[str, Any], Any], Loaded]:
    """The rows of a file by table and key, as a start finds them."""
    schemas = {schema.name: schema for schema in ALL}
    engine = opened(path, spare)
    loaded = engine.load()
    await engine.close()
    return {(name, schemas[name].key(row)): row for name, row in loaded.rows}, loaded


async def fill(path: Path) -> None:
    """Write keys, each with a commit of its own."""
    engine = opened(path)
    loaded = engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    for number in range(COUNT):
        await writer.commit(lambda txn, number=number: kv.put(txn, f"k{number}", b"value %d" % number, 0))  # type: ignore[misc]
    await engine.close()
