"""Damage of a data file that an operator accepts: what is intact is used, and no index falls."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.data_file import COUNT, fill, indexes_of, load, opened

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL, ACCEPT_NONE


@pytest.mark.parametrize("name", ["index", "id", "floor", "index/kvs", "history_floor"])
@pytest.mark.parametrize("change", ["value = value + 1", "sum = 'x'", "name = 'wrong'", "name = x'ff00'"])
async def test_damaged_numbers_are_made_again_when_the_damage_is_accepted(
    tmp_path: Path, name: str, change: str
) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(f"UPDATE meta SET {change} WHERE name = ?", (name,)).rowcount == 1
    with pytest.raises(EngineError, match=r"the number .* does not match its checksum.*accept-damage to start once"):
        await opened(path).load()
    rows, loaded = await load(path, ACCEPT_ALL)
    assert (len(rows), loaded.index) == (COUNT, COUNT)
    assert all(indexes_of(loaded).get(one, indexes_of(loaded)["floor"]) >= COUNT for one in ("kvs", "nodes")), (
        "no index falls"
    )
    assert (await load(path))[1].index == COUNT, "it is whole again"


async def test_without_a_mark_the_index_comes_from_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    (tmp_path / "state.mark").unlink()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM meta WHERE name = 'index'")
    with pytest.raises(EngineError, match="the number 'index' is missing"):
        await opened(path).load()
    assert (await load(path, ACCEPT_ALL))[1].index == COUNT


async def test_damage_that_cannot_be_accepted_is_not_offered(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    for accepted in (ACCEPT_NONE, ACCEPT_ALL):
        with pytest.raises(EngineError, match="written by a newer pyconsul") as caught:
            await opened(path, accepted).load()
        assert "accept-damage" not in str(caught.value)
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(EngineError) as caught:
        await opened(path).load()
    assert "accept-damage" not in str(caught.value)


async def test_damaged_rows_that_are_spared_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE rows SET sum = 0 WHERE key = 'k7'")
    rows, loaded = await load(path, ACCEPT_ALL)
    assert (len(rows), loaded.index) == (COUNT - 1, COUNT)
    rows, _ = await load(path)
    assert len(rows) == COUNT - 1
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT tbl, key, length(row) > 0, reason FROM aside").fetchall() == [
            ("kvs", "k7", 1, "does not match its checksum")
        ]
