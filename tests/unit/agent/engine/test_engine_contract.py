"""What every engine promises, held against each of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from support.etcd import etcd_place, needs_etcd
from support.eventually import one_turn

from pyconsul.agent.engine.contract import Compacted, Conflict, Engine, EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.memory import MemoryEngine, MemoryPlace
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.model.service import NodeService, ServiceInstance, Weights
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import ALL, INDEXES, KV, SERVICES
from pyconsul.agent.state.store import floor_row

Open = Callable[[], Engine]


@pytest.fixture(
    params=[
        "embedded",
        "memory",
        "switchable embedded",
        pytest.param("etcd", marks=needs_etcd),
        pytest.param("switchable etcd", marks=needs_etcd),
    ]
)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the engine's place again, as after a restart."""
    kind: str = request.param
    if kind == "memory":
        place = MemoryPlace(max_changesets=100)
        return lambda: MemoryEngine(place=place)
    if kind.endswith("etcd"):
        opened: Open = etcd_place(request.getfixturevalue("etcd"))
    else:
        opened = partial(EmbeddedEngine, tmp_path / "folder" / "state.db", ALL)
    return partial(switchable_to, opened) if kind.startswith("switchable") else opened


def switchable_to(opened: Open) -> SwitchableEngine:
    engine = SwitchableEngine()
    engine.switch(opened())
    return engine


def entry(key: str, index: int, value: bytes | None = b"v") -> KVEntry:
    return KVEntry(0, key, 1 << 63, value, index, index)


def put(index: int, *rows: tuple[Schema[object], object]) -> Changeset:
    changeset = Changeset(index, 0.0)
    changeset.writes = [(schema, schema.key(row), row) for schema, row in rows]
    return changeset


async def held(engine: Engine) -> tuple[dict[tuple[str, object], object], int]:
    loaded = await engine.load()
    rows = {
        (name, getattr(row, "key", None) or row.service.id): row for name, row in loaded.rows if name != INDEXES.name
    }
    return rows, loaded.index


async def test_commits_survive_with_their_index(reopen: Open) -> None:
    service = NodeService(
        id="w-1", service="web", tags=["a"], address="", meta={"k": "v"}, weights=Weights(2, 3),
        enable_tag_override=False, create_index=2, modify_index=2, port=80,
    )  # fmt: skip
    engine = reopen()
    assert await held(engine) == ({}, 0)
    await engine.commit(
        [put(1, (KV, entry("a", 1)), (KV, entry("b", 1, None))), put(2, (SERVICES, ServiceInstance("N", service)))]
    )
    assert await engine.commit([put(3, (KV, entry("ü/\n", 3)))]) == 3
    await engine.close()
    rows, index = await held(reopen())
    assert index == 3
    assert rows == {
        ("kvs", "a"): entry("a", 1),
        ("kvs", "b"): entry("b", 1, None),
        ("kvs", "ü/\n"): entry("ü/\n", 3),
        ("services", "w-1"): ServiceInstance("N", service),
    }


async def test_the_last_state_of_a_row_counts(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    gone = Changeset(3, 0.0)
    gone.writes = [(KV, "b", None)]
    await engine.commit([put(1, (KV, entry("a", 1))), put(2, (KV, entry("a", 2)), (KV, entry("b", 2))), gone])
    await engine.close()
    assert (await held(reopen()))[0] == {("kvs", "a"): entry("a", 2)}


async def test_replace_puts_other_rows_in_place_of_everything(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    await engine.commit([put(1, (KV, entry("old", 1)))])
    await engine.replace([("kvs", entry("new", 7))], 9)
    await engine.close()
    assert await held(reopen()) == ({("kvs", "new"): entry("new", 7)}, 9)


async def test_a_failed_replace_changes_nothing(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    await engine.commit([put(1, (KV, entry("old", 1)))])
    with pytest.raises(LookupError):
        await engine.replace([("kvs", entry("new", 7)), ("no such table", entry("x", 7))], 9)
    await engine.commit([put(2, (KV, entry("more", 2)))])
    await engine.close()
    assert await held(reopen()) == ({("kvs", "old"): entry("old", 1), ("kvs", "more"): entry("more", 2)}, 2)


async def test_named_indexes_are_rows_that_are_there_again(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    first, second = put(1, (KV, entry("a", 1))), put(2, (KV, entry("b", 2)))
    first.indexes, second.indexes = {"kvs": 1, "service.web": 1}, {"kvs": 2, "service.web": None, "service.db": 2}
    await engine.commit([first])
    await engine.commit([second])
    await engine.close()
    assert await indexes(reopen()) == {"kvs": 2, "service.db": 2, "floor": 0}
    engine = reopen()
    await engine.load()
    await engine.replace([floor_row(7), (INDEXES.name, NamedIndex("kvs", 5))], 7)
    await engine.close()
    assert await indexes(reopen()) == {"kvs": 5, "floor": 7}


async def indexes(engine: Engine) -> dict[str, int]:
    loaded = await engine.load()
    await engine.close()
    return {row.name: row.index for name, row in loaded.rows if name == INDEXES.name}


async def test_the_barrier_is_the_last_commit(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    await engine.commit([put(11, (KV, entry("a", 11)))])  # the first may have any index
    assert await engine.barrier() == 11
    await engine.replace([floor_row(20)], 20)
    assert await engine.barrier() == 20
    await engine.close()
    again = reopen()
    await again.load()
    assert await again.barrier() == 20
    await again.close()


@pytest.mark.parametrize("index", [2, 3, 5])
async def test_a_commit_that_does_not_follow_the_last_is_a_conflict(reopen: Open, index: int) -> None:
    engine = reopen()
    await engine.load()
    await engine.commit([put(n, (KV, entry("a", n))) for n in (1, 2, 3)])
    with pytest.raises(Conflict) as caught:
        await engine.commit([put(index, (KV, entry("b", index)))])
    assert caught.value.index == 3
    with pytest.raises(Conflict):
        await engine.replace([floor_row(3)], 3)
    await engine.commit([put(4, (KV, entry("b", 4)))])
    await engine.close()
    assert set((await held(reopen()))[0]) == {("kvs", "a"), ("kvs", "b")}


async def test_without_another_server_a_watch_is_silent(reopen: Open) -> None:
    engine = reopen()
    await engine.load()
    watch = asyncio.ensure_future(anext(aiter(engine.watch(0))))
    await one_turn()
    assert not watch.done()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await engine.close()


async def test_all_other_servers_see_each_commit_in_order() -> None:
    place = MemoryPlace(max_changesets=3)
    one, other = MemoryEngine(place=place), MemoryEngine(place=place)
    for engine in (one, other):
        await engine.load()
    watch = aiter(other.watch(0))
    await one.commit([put(1, (KV, entry("a", 1))), put(2, (KV, entry("a", 2)))])
    assert [(await anext(watch)).index for _ in range(2)] == [1, 2]
    following = asyncio.ensure_future(anext(watch))
    await one_turn()
    await other.commit([put(3, (KV, entry("b", 3)))])
    seen = await following
    assert (seen.index, seen.writes) == (3, [(KV, "b", entry("b", 3))])
    await one.commit([put(n, (KV, entry("c", n))) for n in (4, 5, 6, 7)])
    with pytest.raises(Compacted):
        await anext(watch)


async def test_another_state_ends_the_watch_of_other_servers() -> None:
    place = MemoryPlace(max_changesets=10)
    one, other = MemoryEngine(place=place), MemoryEngine(place=place)
    for engine in (one, other):
        await engine.load()
    watches: list[AsyncIterator[Changeset]] = [aiter(one.watch(0)), aiter(other.watch(0))]
    await one.replace([floor_row(5)], 5)
    with pytest.raises(Compacted):
        await anext(watches[1])
    await one.commit([put(6, (KV, entry("a", 6)))])
    assert (await anext(watches[0])).index == 6
    await other.load()
    assert (await anext(aiter(other.watch(5)))).index == 6


async def test_a_file_that_is_not_a_database_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but somebody's" * 100)
    with pytest.raises(EngineError, match=r"state\.db cannot be used: .*Nothing was changed"):
        await EmbeddedEngine(path, ALL).load()
    assert path.read_bytes().startswith(b"not a database")


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    database.execute("INSERT INTO meta VALUES ('format', 99)")
    database.commit()
    database.close()
    with pytest.raises(EngineError, match="newer pyconsul"):
        await EmbeddedEngine(path, ALL).load()


def list_folder(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_file_is_its_owner_s_only(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = EmbeddedEngine(path, ALL)
    await engine.load()
    await engine.commit([put(1, (KV, entry("a", 1)))])
    assert {file.stat().st_mode & 0o777 for file in list_folder(tmp_path)} == {0o600}
    await engine.close()
