"""Purged keys and keys without history: their earlier values are nowhere, not even in the bytes of the files."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.data_file import read_history
from support.etcd import etcd_place, needs_etcd

from pyconsul.agent.engine.contract import Engine, Loaded
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.history.contract import NO_HISTORY, Pruned, Retention
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.store import Store

KEEP = Retention(20, 1e9, 1 << 20)
SECRET = b"hunter2-" * 2000  # more than one page


class Keys:
    """A store over an engine, written as the API writes it."""

    def __init__(self, engine: Engine, loaded: Loaded) -> None:
        self.engine = engine
        self.store = Store(loaded.rows, loaded.index)
        self.writer = Writer(self.store, engine, lambda: 1.0)

    async def put(self, key: str, value: bytes) -> None:
        await self.writer.commit(lambda txn: kv.put(txn, key, value, 0))

    async def delete(self, key: str, *, purge: bool = False) -> None:
        await self.writer.commit(lambda txn: kv.delete(txn, key, purge=purge))

    async def purge_tree(self, prefix: str) -> None:
        await self.writer.commit_steps(lambda txn: kv.delete_tree(txn, prefix, purge=True))

    async def values(self, key: str) -> list[bytes | None]:
        """Return the versions of a key, the newest first; None is a deletion."""
        kept = await read_history(self.engine, key)
        assert kept is not None
        return [version.entry.value if version.entry else None for version in kept.versions()]

    async def at(self, key: str, index: int, *, tree: bool = False) -> dict[str, bytes | None]:
        kept = await read_history(self.engine, key, tree=tree, after=index)
        assert kept is not None
        return {entry.key: entry.value for entry in kept.at(index, tree=tree)}


Make = Callable[..., Awaitable[Keys]]


async def embedded(folder: Path, retention: Retention = KEEP) -> Keys:
    """Open the keys in a file."""
    engine = EmbeddedEngine(folder / "state.db", ALL, retention)
    return Keys(engine, await engine.load())


@pytest.fixture(params=["embedded", "memory", pytest.param("etcd", marks=needs_etcd)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the keys of a new engine."""

    async def open_keys(retention: Retention = KEEP) -> Keys:
        engine: Engine = MemoryEngine(retention)
        if request.param == "embedded":
            return await embedded(tmp_path, retention)
        if request.param == "etcd":
            engine = etcd_place(request.getfixturevalue("etcd"), retention)()
        return Keys(engine, await engine.load())

    return open_keys


def holds(folder: Path, secret: bytes) -> list[str]:
    """Return the files that hold a part of a secret."""
    return [path.name for path in folder.iterdir() if secret[:16] in path.read_bytes()]


async def test_a_purged_key_has_no_past(make: Make) -> None:
    keys = await make()
    await keys.put("a", b"1")
    await keys.put("ab", b"other")
    await keys.put("a", b"2")
    await keys.delete("a", purge=True)
    assert await keys.values("a") == []
    assert await keys.at("", 1, tree=True) == {}
    assert await keys.values("ab") == [b"other"]
    await keys.put("a", b"3")
    assert await keys.values("a") == [b"3"]
    await keys.engine.close()


async def test_the_past_of_a_deleted_key_can_be_purged(make: Make) -> None:
    keys = await make()
    await keys.put("a", b"1")
    await keys.delete("a")
    assert await keys.values("a") == [None, b"1"]
    await keys.delete("a", purge=True)
    assert await keys.values("a") == []
    await keys.engine.close()


async def test_a_tree_is_purged_with_its_deleted_keys(make: Make) -> None:
    keys = await make()
    for key in ("s/a", "s/b", "t"):
        await keys.put(key, b"1")
    await keys.delete("s/a")
    await keys.purge_tree("s/")
    kept = await read_history(keys.engine, "", tree=True)
    assert kept is not None
    assert {version.key for version in kept.versions()} == {"t"}
    await keys.engine.close()


async def test_a_refused_condition_purges_nothing(make: Make) -> None:
    keys = await make()
    await keys.put("a", b"1")
    await keys.put("a", b"2")
    assert not await keys.writer.commit(lambda txn: kv.delete(txn, "a", 1, purge=True))
    assert await keys.values("a") == [b"2", b"1"]
    await keys.engine.close()


@pytest.mark.parametrize("retention", [KEEP, NO_HISTORY])
async def test_purged_values_are_in_no_file(tmp_path: Path, retention: Retention) -> None:
    keys = await embedded(tmp_path, retention)
    await keys.put("secret", b"before " + SECRET)
    await keys.put("secret", SECRET)
    for number in range(50):
        await keys.put(f"other/{number}", b"x" * 500)
    assert holds(tmp_path, SECRET)
    await keys.delete("secret", purge=True)
    assert holds(tmp_path, SECRET) == []
    await keys.engine.close()
    assert holds(tmp_path, SECRET) == []


async def test_a_reader_delays_the_end_of_the_log_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = await embedded(tmp_path)
    await keys.put("secret", SECRET)
    opened = keys.engine._opened  # type: ignore[attr-defined]
    opened.database.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        await keys.delete("secret", purge=True)
        assert holds(tmp_path, SECRET)
    await keys.put("next", b"write")
    assert holds(tmp_path, SECRET) == []
    await keys.engine.close()


async def test_excluded_keys_have_no_history(make: Make) -> None:
    keys = await make(KEEP._replace(exclude=("secrets/", "tmp")))
    for value in (b"1", b"2"):
        for key in ("secrets/a", "tmp1", "kept"):
            await keys.put(key, value)
    assert await keys.values("secrets/a") == [b"2"]
    assert await keys.values("kept") == [b"2", b"1"]
    with pytest.raises(Pruned, match="kv_history_exclude"):
        await keys.at("secrets/a", 1)
    # A rollback of everything leaves them as they are.
    assert await keys.at("", 3, tree=True) == {"secrets/a": b"2", "tmp1": b"2", "kept": b"1"}
    await keys.engine.close()


async def test_newly_excluded_keys_lose_their_history_and_get_none_back(tmp_path: Path) -> None:
    for exclude, told in (((), [b"2", b"1", SECRET]), (("s/",), [b"2"]), ((), [b"2"])):
        keys = await embedded(tmp_path, KEEP._replace(exclude=exclude))
        if SECRET in told:
            for value in (SECRET, b"1", b"2"):
                await keys.put("s/a", value)
        assert await keys.values("s/a") == told
        await keys.engine.close()
        assert bool(holds(tmp_path, SECRET)) is (SECRET in told)
    keys = await embedded(tmp_path)
    with pytest.raises(Pruned):
        await keys.at("", 1, tree=True)
    await keys.engine.close()


async def test_keys_that_are_excluded_later_lose_their_history_at_once(make: Make, tmp_path: Path) -> None:
    keys = await make()
    for value in (SECRET, b"1", b"2"):
        await keys.put("s/a", value)
        await keys.put("kept", value[:1])
    await keys.engine.retain(KEEP._replace(exclude=("s/",)), 1.0)
    assert await keys.values("s/a") == [b"2"]
    assert len(await keys.values("kept")) == 3
    assert holds(tmp_path, SECRET) == []
    with pytest.raises(Pruned, match="kv_history_exclude"):
        await keys.at("s/a", 1)
    await keys.put("s/a", b"3")
    await keys.engine.retain(KEEP, 1.0)
    await keys.put("s/a", b"4")
    assert await keys.values("s/a") == [b"4", b"3"]
    with pytest.raises(Pruned):
        await keys.at("", 1, tree=True)
    await keys.engine.close()
