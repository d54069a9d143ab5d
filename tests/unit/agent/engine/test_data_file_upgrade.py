"""A data file of an older format: upgraded in place, or read only while the disk is full."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.data_file import indexes_of, load, opened, read_history

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded import datafile, opening
from pyconsul.agent.engine.embedded import engine as embedded
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL, KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.sync.local_rows import ALL as LOCAL

FORMAT_1 = Path(__file__).parent / "format1"
FORMAT_2 = Path(__file__).parent / "format2"


def old_file(folder: Path, name: str = "state.db") -> Path:
    path = folder / name
    path.write_bytes(gzip.decompress((FORMAT_1 / f"{name}.gz").read_bytes()))
    return path


def rows_of_format_1(path: Path) -> dict[tuple[str, Any], Any]:
    schemas = {schema.name: schema for schema in ALL}
    found = {}
    with closing(sqlite3.connect(path)) as database:
        for table, data in database.execute("SELECT tbl, row FROM rows"):
            row = msgspec.msgpack.decode(data, type=schemas[table].row_type)
            found[table, schemas[table].key(row)] = row
    return found


async def check_upgraded(path: Path, before: dict[tuple[str, Any], Any]) -> None:
    rows, loaded = await load(path)
    assert (loaded.index, indexes_of(loaded)) == (16, {"floor": 16})
    assert rows == before
    assert rows["kvs", "app/port"] == KVEntry(0, "app/port", 42, b"three", 3, 5)
    assert rows["services", ("x", "web")].service.port == 80
    engine = opened(path)
    await engine.load()
    kept = await read_history(engine, "app/port")
    assert kept is not None
    assert [change.before and change.before.value for change in kept.keys["app/port"].changes] == [None, b"one", b"two"]
    gone = await read_history(engine, "gone")
    assert gone is not None
    assert gone.keys["gone"].current is None
    await engine.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM aside").fetchone() == (0,)


async def test_format_1_is_upgraded_in_place(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    before = rows_of_format_1(path)
    assert {table for table, _ in before} >= {"kvs", "services", "sessions", "acl_tokens", "tombstones"}
    await check_upgraded(path, before)
    await check_upgraded(path, before)


async def test_an_upgrade_that_is_killed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    path = old_file(tmp_path / "a")
    before = rows_of_format_1(path)
    upgrade = opening.upgrade

    def stop(database: sqlite3.Connection, schemas: Any) -> None:
        upgrade(database, schemas)
        shutil.copytree(tmp_path / "a", tmp_path / "killed")  # all is written, and not committed

    monkeypatch.setattr(opening, "upgrade", stop)
    await load(path)
    monkeypatch.setattr(opening, "upgrade", upgrade)
    killed = tmp_path / "killed" / "state.db"
    with closing(sqlite3.connect(killed)) as database:
        assert database.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() == (1,)
    await check_upgraded(killed, before)


async def test_an_upgrade_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_file(tmp_path)
    before = rows_of_format_1(path)
    upgrade = opening.upgrade

    def fail(database: sqlite3.Connection, schemas: Any) -> None:
        upgrade(database, schemas)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(opening, "upgrade", fail)
    with pytest.raises(EngineError, match="disk I/O error"):
        await opened(path).load()
    monkeypatch.undo()
    await check_upgraded(path, before)


@pytest.mark.parametrize("older", [True, False])
async def test_a_full_disk_allows_reading_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    path = old_file(tmp_path)
    if not older:
        await load(path)
    before = path.read_bytes()

    def fail(path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as full:
        full.setattr(datafile, "connect_to_read", fail)
        full.setattr(embedded, "disk_is_full", lambda path: "the disk is full")
        engine = opened(path)
        loaded = await engine.load()
        store = Store(loaded.rows, loaded.index)
        row = store[KV].get("app/port")
        assert (loaded.index, row and row.value, store.index_of("kvs")) == (16, b"three", 16)
        writer = Writer(store, engine)
        with pytest.raises(EngineError, match="the disk is full"):
            await writer.commit(lambda txn: kv.put(txn, "refused", b"1", 0))
        assert path.read_bytes() == before
    assert await writer.commit(lambda txn: kv.put(txn, "taken", b"1", 0))
    await engine.close()
    rows, loaded = await load(path)
    assert loaded.index == 17
    assert ("kvs", "refused") not in rows
    assert rows["kvs", "taken"].modify_index == 17


async def test_the_agent_s_own_services_are_upgraded(tmp_path: Path) -> None:
    engine = EmbeddedEngine(old_file(tmp_path, "local.db"), LOCAL, accepted=ACCEPT_ALL)
    assert sorted(name for name, _ in (await engine.load()).rows) == ["indexes", "local_checks", "local_services"]
    await engine.close()


async def test_a_file_of_format_2_is_read_as_it_is(tmp_path: Path) -> None:
    """Made by an agent before changesets were data: rows of every table, named indexes in `meta`, a history."""
    for name in ("state.db", "state.mark"):
        (tmp_path / name).write_bytes(gzip.decompress((FORMAT_2 / f"{name}.gz").read_bytes()))
    path = tmp_path / "state.db"
    for _ in range(2):
        rows, loaded = await load(path)
        assert loaded.index == 32
        assert indexes_of(loaded) == {
            "floor": 0, "acl-policies": 26, "acl-roles": 28, "acl-tokens": 27, "autopilot-config": 31, "checks": 18,
            "coordinates": 30, "kvs": 25, "nodes": 18, "prepared-queries": 29, "service.consul": 12, "service.local": 32,
            "service.web": 18, "service_last_extinction": 20, "services": 32, "sessions": 25,
        }  # fmt: skip
        assert len(rows) == 25
        store = Store(loaded.rows, loaded.index, min_floor=10)
        assert (store.index_of("nodes"), store.last_index("service.db"), store.restored) == (18, 10, 10)
        assert rows["kvs", "app/port"].value == b"three"
    engine = opened(path)
    await engine.load()
    history = await read_history(engine, "", tree=True)
    assert history is not None
    assert [(one.key, one.index, one.entry and one.entry.value) for one in history.versions() if one.index < 18] == [
        ("gone", 17, None), ("gone", 16, b"x"), ("app/port", 15, b"three"), ("app/port", 14, b"two"),
        ("app/port", 13, b"one"),
    ]  # fmt: skip
    await engine.close()


async def test_the_agent_s_own_services_of_format_2_are_read(tmp_path: Path) -> None:
    (tmp_path / "local.db").write_bytes(gzip.decompress((FORMAT_2 / "local.db.gz").read_bytes()))
    engine = EmbeddedEngine(tmp_path / "local.db", LOCAL, accepted=ACCEPT_ALL)
    loaded = await engine.load()
    assert [row.service.service for table, row in loaded.rows if table == "local_services"] == ["local"]
    await engine.close()
