"""What every engine promises, held against each of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.model.service import NodeService, ServiceInstance, Weights
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import ALL, KV, SERVICES

Open = Callable[[], Engine]


@pytest.fixture(params=["embedded"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the engine's place again, as after a restart."""
    return lambda: EmbeddedEngine(tmp_path / "folder" / "state.db", ALL)


def entry(key: str, index: int, value: bytes | None = b"v") -> KVEntry:
    return KVEntry(0, key, 1 << 63, value, index, index)


def put(index: int, *rows: tuple[Schema[object], object]) -> Changeset:
    changeset = Changeset(index, 0.0)
    changeset.writes = [(schema, schema.key(row), row) for schema, row in rows]
    return changeset


def held(engine: Engine) -> tuple[dict[tuple[str, object], object], int]:
    loaded = engine.load()
    return {(name, getattr(row, "key", None) or row.service.id): row for name, row in loaded.rows}, loaded.index


async def test_what_was_committed_is_there_again_with_its_index(reopen: Open) -> None:
    service = NodeService(
        id="w-1", service="web", tags=["a"], address="", meta={"k": "v"}, weights=Weights(2, 3),
        enable_tag_override=False, create_index=2, modify_index=2, port=80,
    )  # fmt: skip
    engine = reopen()
    assert held(engine) == ({}, 0)
    await engine.commit(
        [put(1, (KV, entry("a", 1)), (KV, entry("b", 1, None))), put(2, (SERVICES, ServiceInstance("N", service)))]
    )
    assert await engine.commit([put(3, (KV, entry("ü/\n", 3)))]) == 3
    await engine.close()
    rows, index = held(reopen())
    assert index == 3
    assert rows == {
        ("kvs", "a"): entry("a", 1),
        ("kvs", "b"): entry("b", 1, None),
        ("kvs", "ü/\n"): entry("ü/\n", 3),
        ("services", "w-1"): ServiceInstance("N", service),
    }


async def test_the_last_state_of_a_row_counts(reopen: Open) -> None:
    engine = reopen()
    engine.load()
    gone = Changeset(3, 0.0)
    gone.writes = [(KV, "b", None)]
    await engine.commit([put(1, (KV, entry("a", 1))), put(2, (KV, entry("a", 2)), (KV, entry("b", 2))), gone])
    await engine.close()
    assert held(reopen())[0] == {("kvs", "a"): entry("a", 2)}


async def test_replace_puts_other_rows_in_place_of_everything(reopen: Open) -> None:
    engine = reopen()
    engine.load()
    await engine.commit([put(1, (KV, entry("old", 1)))])
    await engine.replace([("kvs", entry("new", 7))], 9)
    await engine.close()
    assert held(reopen()) == ({("kvs", "new"): entry("new", 7)}, 9)


async def test_a_failed_replace_changes_nothing(reopen: Open) -> None:
    engine = reopen()
    engine.load()
    await engine.commit([put(1, (KV, entry("old", 1)))])
    with pytest.raises(LookupError):
        await engine.replace([("kvs", entry("new", 7)), ("no such table", entry("x", 7))], 9)
    await engine.commit([put(2, (KV, entry("more", 2)))])
    await engine.close()
    assert held(reopen()) == ({("kvs", "old"): entry("old", 1), ("kvs", "more"): entry("more", 2)}, 2)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but somebody's" * 100)
    with pytest.raises(EngineError, match=r"state\.db cannot be used: .*Nothing was changed"):
        EmbeddedEngine(path, ALL).load()
    assert path.read_bytes().startswith(b"not a database")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    database.execute("INSERT INTO meta VALUES ('format', 99)")
    database.commit()
    database.close()
    with pytest.raises(EngineError, match="newer pyconsul"):
        EmbeddedEngine(path, ALL).load()


def list_folder(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_file_is_its_owner_s_only(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = EmbeddedEngine(path, ALL)
    engine.load()
    await engine.commit([put(1, (KV, entry("a", 1)))])
    assert {file.stat().st_mode & 0o777 for file in list_folder(tmp_path)} == {0o600}
    await engine.close()
