"""The data file of the embedded engine: damage is refused, odd rows are set aside."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from support.data_file import COUNT, fill, indexes_of, load, opened, read_history
from support.rows import SAMPLES

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded import datafile
from pyconsul.agent.engine.embedded.checksums import row_sum
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import ACCEPT_ALL
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL, KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


async def test_named_indexes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = opened(path)
    store = Store((await engine.load()).rows)
    writer = Writer(store, engine)

    def operation(*raised: str, dropped: str = "") -> Callable[[WriteTxn], None]:
        def run(txn: WriteTxn) -> None:
            txn.raise_index(*raised)
            if dropped:
                txn.drop_index(dropped)

        return run

    await writer.commit(operation("nodes", "service.web"))
    await writer.commit(operation("nodes"))
    await writer.commit(operation("services", dropped="service.web"))
    await engine.close()
    _, loaded = await load(path)
    assert (loaded.index, indexes_of(loaded)) == (3, {"floor": 0, "nodes": 2, "services": 3})
    again = Store(loaded.rows, loaded.index)
    for name in ("nodes", "services", "service.web", "kvs"):
        assert again.last_index(name) == store.last_index(name)
        assert again.index_of(name) == store.index_of(name)


@pytest.mark.parametrize("target", ["row", "key", "index", "history"])
async def test_rows_with_a_wrong_checksum_are_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    statement = {
        "row": "UPDATE rows SET row = replace(row, 'value 7', 'value 8')",
        "key": "UPDATE rows SET key = 'other' WHERE key = 'k7'",
        "index": "UPDATE meta SET value = value + 1 WHERE name = 'index'",
        "history": "UPDATE kv_history SET time = time + 1 WHERE key = 'k7'",
    }[target]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    before = path.read_bytes()
    engine = opened(path)
    if target == "history":
        await engine.load()
        with pytest.raises(EngineError, match="'k7' in the history does not match its checksum"):
            await read_history(engine, "k7")
        assert await read_history(engine, "k8") is not None
        await engine.close()
        return
    with pytest.raises(EngineError, match=r"cannot be used: .*checksum.*Nothing was changed.*accept-damage"):
        await engine.load()
    assert path.read_bytes() == before


def odd_rows() -> list[tuple[str, str, bytes]]:
    encode = msgspec.msgpack.encode
    return [
        ("nosuch", "k", b"\x80"),
        ("kvs", "no message pack", b"\xc1"),
        ("kvs", "nothing", b""),
        ("kvs", "cut", encode(SAMPLES["kvs"])[:-2]),
        ("nodes", "a key", encode(SAMPLES["kvs"])),
        ("sessions", "ttl", encode(msgspec.structs.replace(SAMPLES["sessions"], ttl="garbage"))),
        ("acl_tokens", "nan", encode(msgspec.structs.replace(SAMPLES["acl_tokens"], expires=float("nan")))),
        ("kvs", "index", encode(msgspec.structs.replace(SAMPLES["kvs"], modify_index=1 << 60))),
    ]


async def test_rows_that_cannot_be_used_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path)) as database, database:
        for table, key, data in odd_rows():
            database.execute(datafile.PUT_ROW, (table, key, data, row_sum(table, key, data)))
    rows, _ = await load(path)
    assert len(rows) == COUNT
    assert f"set aside {len(odd_rows())} rows" in caplog.text
    with closing(sqlite3.connect(path)) as database:
        aside = database.execute("SELECT tbl, key, row FROM aside").fetchall()
    assert sorted(aside) == sorted(odd_rows())


async def test_a_log_that_lost_acknowledged_commits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    older = tmp_path / "older"
    shutil.copy(path, older)
    engine = opened(path)
    loaded = await engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    await writer.commit(lambda txn: kv.put(txn, "last", b"1", 0))
    await engine.close()
    shutil.copy(older, path)
    with pytest.raises(
        EngineError, match=f"ends at index {COUNT}, but writes up to index {COUNT + 1} were acknowledged"
    ):
        await opened(path).load()
    _, loaded = await load(path, ACCEPT_ALL)
    assert loaded.index == COUNT + 1, "an index would be given out twice"
    _, loaded = await load(path)
    assert loaded.index == COUNT + 1


async def test_other_contents_at_the_same_index_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    mark = (tmp_path / "state.mark").read_bytes()
    (tmp_path / "state.mark").write_bytes(mark[:24] + bytes(8) + mark[32:])
    await load(path)  # its own checksum is wrong: a damaged mark says nothing
    engine = opened(path)
    await engine.load()
    assert engine._opened is not None
    engine._opened.chain += 1
    engine._opened.write_mark()
    engine._opened.chain -= 1
    await engine.close()
    with pytest.raises(EngineError, match="is not what was acknowledged"):
        await opened(path).load()


async def test_a_mark_that_is_missing_or_another_file_s_does_not_stop_the_start(tmp_path: Path) -> None:
    path, other = tmp_path / "state.db", tmp_path / "other.db"
    await fill(path)
    await fill(other)
    (tmp_path / "state.mark").unlink()
    assert len((await load(path))[0]) == COUNT
    shutil.copy(tmp_path / "other.mark", tmp_path / "state.mark")
    assert len((await load(path))[0]) == COUNT


async def test_a_mark_may_be_older_than_the_file_after_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = opened(path)
    await engine.load()
    await engine.close()
    mark = (tmp_path / "state.mark").read_bytes()
    await fill(path)
    (tmp_path / "state.mark").write_bytes(mark)
    assert len((await load(path))[0]) == COUNT
    assert (tmp_path / "state.mark").read_bytes() != mark


@pytest.mark.parametrize(("name", "flips", "least"), [("state.db-wal", 60, 55), ("state.db", 60, 10)])
async def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path, name: str, flips: int, least: int) -> None:
    """Nothing that was acknowledged is missing or different, wherever a bit of the file or its log has flipped."""
    folder, intact = tmp_path / "data", tmp_path / "intact"
    folder.mkdir()
    path = folder / "state.db"
    await fill(path)  # closing it wrote everything into state.db
    engine = opened(path)
    loaded = await engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    for number in range(COUNT, 2 * COUNT):
        await writer.commit(lambda txn, number=number: kv.put(txn, f"k{number}", b"value %d" % number, 0))  # type: ignore[misc]
    if name == "state.db-wal":
        shutil.copytree(folder, intact)  # as after kill -9
    await engine.close()
    if name == "state.db":
        shutil.copytree(folder, intact)  # everything is in it
    expected = {("kvs", f"k{number}"): b"value %d" % number for number in range(2 * COUNT)}
    size, refused = (intact / name).stat().st_size, 0
    for flip in range(flips):
        shutil.rmtree(folder)
        shutil.copytree(intact, folder)
        data = bytearray((folder / name).read_bytes())
        data[size * (2 * flip + 1) // (2 * flips)] ^= 1 << flip % 8
        (folder / name).write_bytes(data)
        try:
            rows, _ = await load(path)
        except EngineError:
            refused += 1
            assert (folder / name).read_bytes() == data, "what could still be rescued was changed"
        else:
            assert {key: row.value for key, row in rows.items()} == expected
    assert refused >= least


def test_keys_of_several_parts_are_distinct(tmp_path: Path) -> None:
    from pyconsul.agent.state.codec import stored_key

    parts = ["a", "b", "", "\0", "\x01", "a\0b", "\x01\x02", "\x02"]
    keys = [(one, other) for one in parts for other in parts]
    assert len({stored_key(key) for key in keys}) == len(keys)
    assert stored_key(("n1", "web")) == "n1\0web", "as in format 1"


async def test_a_history_that_is_switched_off_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    engine = EmbeddedEngine(path, ALL)
    await engine.load()
    await engine.close()
    with closing(sqlite3.connect(path)) as database:
        assert not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'kv_history'").fetchone()
        assert not database.execute("SELECT 1 FROM meta WHERE name LIKE 'history%'").fetchone()
    rows, _ = await load(path)
    assert rows["kvs", "k1"].key == KV.key(rows["kvs", "k1"])


@pytest.mark.parametrize("value", ["'garbage'", "x'ff00ff'", "-1", "9223372036854775807", "1e300", "''"])
async def test_a_cell_that_holds_anything_is_refused_or_harmless(tmp_path: Path, value: str) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    keep = tmp_path / "keep"
    keep.mkdir()
    for name in ("state.db", "state.mark"):
        shutil.copy(tmp_path / name, keep)
    before, _ = await load(path)
    cells = [("meta", column) for column in ("value", "sum", "chain")]
    cells += [("rows", column) for column in ("tbl", "key", "row", "sum")]
    for table, column in cells:
        for file in keep.iterdir():
            shutil.copy(file, tmp_path)
        with closing(sqlite3.connect(path)) as database, database:
            where = "name = 'index'" if table == "meta" else "key = 'k7'"
            assert database.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}").rowcount == 1
        rows = before
        try:
            rows, _ = await load(path)
        except EngineError:  # nothing else is raised
            rows, _ = await load(path, ACCEPT_ALL)
        assert rows.items() <= before.items()
        assert len(rows) >= len(before) - 1
