"""The data file of a single server whose state moves to a cluster."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.data_file import opened

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded import datafile
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store


async def test_a_copy_has_what_was_committed_so_far(tmp_path: Path) -> None:
    engine = opened(tmp_path / "state.db")
    store = Store((await engine.load()).rows)
    writer = Writer(store, engine)
    await writer.commit(lambda txn: kv.put(txn, "a", b"v", 0))
    copy = await engine.copy()
    await writer.commit(lambda txn: kv.put(txn, "b", b"v", 0))
    again = Store(copy.rows, copy.index)
    assert copy.index == 1
    assert [row.key for row in again[KV]] == ["a"]
    assert again.last_index("kvs") == 1
    assert (await engine.copy()).index == 2
    await engine.close()


async def test_a_state_that_has_moved_is_refused_by_every_version(tmp_path: Path) -> None:
    engine = opened(tmp_path / "state.db")
    assert engine.moved_to == ""
    await engine.load()
    assert engine.moved_to == ""
    await engine.mark_moved("c0ffee")
    with pytest.raises(EngineError, match="has moved to a cluster"):
        await engine.commit([Changeset(1, 0.0)])
    assert engine.moved_to == "c0ffee"
    await engine.close()
    again = opened(tmp_path / "state.db")
    assert again.moved_to == "c0ffee"
    with pytest.raises(EngineError, match=r"has moved to cluster c0ffee, whose data is in .*/cluster: start the agent"):
        await again.load()
    with (
        closing(sqlite3.connect(tmp_path / "state.db")) as database,
        pytest.raises(datafile.Damaged, match="written by a newer pyconsul"),
    ):
        datafile.format_of(database)
