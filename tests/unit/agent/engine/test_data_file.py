"""The data file of the embedded engine: damage is refused, odd rows are set aside, an older format is upgraded."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.rows import SAMPLES

from pyconsul.agent.engine.contract import EngineError, Loaded
from pyconsul.agent.engine.embedded import datafile, opening
from pyconsul.agent.engine.embedded import engine as embedded
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.embedded.opening import EVERYTHING, NOTHING, Spare
from pyconsul.agent.engine.embedded.sums import row_sum
from pyconsul.agent.engine.history import Retention
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv
from pyconsul.agent.state.draft import Draft
from pyconsul.agent.state.schemas import ALL, KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.sync.rows import ALL as LOCAL

FORMAT_1 = Path(__file__).parent / "format1"
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
        await writer.commit(lambda draft, number=number: kv.put(draft, f"k{number}", b"value %d" % number, 0))  # type: ignore[misc]
    await engine.close()


async def test_named_indexes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = opened(path)
    store = Store(engine.load().rows)
    writer = Writer(store, engine)

    def operation(*touched: str, forgotten: str = "") -> Callable[[Draft], None]:
        def run(draft: Draft) -> None:
            draft.touch(*touched)
            if forgotten:
                draft.forget(forgotten)

        return run

    await writer.commit(operation("nodes", "service.web"))
    await writer.commit(operation("nodes"))
    await writer.commit(operation("services", forgotten="service.web"))
    await engine.close()
    _, loaded = await load(path)
    assert (loaded.index, loaded.floor, loaded.named) == (3, 0, {"nodes": 2, "services": 3})
    again = Store(loaded.rows, loaded.index, named=loaded.named, floor=loaded.floor)
    for name in ("nodes", "services", "service.web", "kvs"):
        assert again.last_index(name) == store.last_index(name)
        assert again.index_of(name) == store.index_of(name)


@pytest.mark.parametrize("target", ["row", "key", "index", "history"])
async def test_what_does_not_match_its_checksum_is_refused(tmp_path: Path, target: str) -> None:
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
        engine.load()
        with pytest.raises(EngineError, match="'k7' in the history does not match its checksum"):
            await engine.kv_history("k7")
        assert await engine.kv_history("k8") is not None
        await engine.close()
        return
    with pytest.raises(EngineError, match=r"cannot be used: .*checksum.*Nothing was changed.*accept-damage"):
        engine.load()
    assert path.read_bytes() == before


async def test_damaged_rows_that_are_spared_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE rows SET sum = 0 WHERE key = 'k7'")
    rows, loaded = await load(path, EVERYTHING)
    assert (len(rows), loaded.index) == (COUNT - 1, COUNT)
    rows, _ = await load(path)
    assert len(rows) == COUNT - 1
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT tbl, key, length(row) > 0, reason FROM aside").fetchall() == [
            ("kvs", "k7", 1, "does not match its checksum")
        ]


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
    loaded = engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    await writer.commit(lambda draft: kv.put(draft, "last", b"1", 0))
    await engine.close()
    shutil.copy(older, path)
    with pytest.raises(
        EngineError, match=f"ends at index {COUNT}, but writes up to index {COUNT + 1} were acknowledged"
    ):
        opened(path).load()
    _, loaded = await load(path, EVERYTHING)
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
    engine.load()
    assert engine._opened is not None
    engine._opened.chain += 1
    engine._opened.write_mark()
    engine._opened.chain -= 1
    await engine.close()
    with pytest.raises(EngineError, match="is not what was acknowledged"):
        opened(path).load()


async def test_a_mark_that_is_missing_or_another_file_s_does_not_stop_the_start(tmp_path: Path) -> None:
    path, other = tmp_path / "state.db", tmp_path / "other.db"
    await fill(path)
    await fill(other)
    (tmp_path / "state.mark").unlink()
    assert len((await load(path))[0]) == COUNT
    shutil.copy(tmp_path / "other.mark", tmp_path / "state.mark")
    assert len((await load(path))[0]) == COUNT


async def test_a_mark_behind_the_file_is_what_a_power_cut_leaves(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    engine = opened(path)
    engine.load()
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
    loaded = engine.load()
    writer = Writer(Store(loaded.rows, loaded.index), engine)
    for number in range(COUNT, 2 * COUNT):
        await writer.commit(lambda draft, number=number: kv.put(draft, f"k{number}", b"value %d" % number, 0))  # type: ignore[misc]
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


def test_keys_of_several_parts_are_told_apart(tmp_path: Path) -> None:
    from pyconsul.agent.state.codec import stored_key

    parts = ["a", "b", "", "\0", "\x01", "a\0b", "\x01\x02", "\x02"]
    keys = [(one, other) for one in parts for other in parts]
    assert len({stored_key(key) for key in keys}) == len(keys)
    assert stored_key(("n1", "web")) == "n1\0web", "as in format 1"


# Format 1: files that the program wrote before there were checksums


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
    assert (loaded.index, loaded.floor, loaded.named) == (16, 16, {})
    assert rows == before
    assert rows["kvs", "app/port"] == KVEntry(0, "app/port", 42, b"three", 3, 5)
    assert rows["services", ("x", "web")].service.port == 80
    engine = opened(path)
    engine.load()
    kept = await engine.kv_history("app/port")
    assert kept is not None
    assert [change.before and change.before.value for change in kept.keys["app/port"].changes] == [None, b"one", b"two"]
    gone = await engine.kv_history("gone")
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
        opened(path).load()
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
        loaded = engine.load()
        store = Store(loaded.rows, loaded.index, named=loaded.named, floor=loaded.floor)
        row = store[KV].get("app/port")
        assert (loaded.index, row and row.value, store.index_of("kvs")) == (16, b"three", 16)
        writer = Writer(store, engine)
        with pytest.raises(EngineError, match="the disk is full"):
            await writer.commit(lambda draft: kv.put(draft, "refused", b"1", 0))
        assert path.read_bytes() == before
    assert await writer.commit(lambda draft: kv.put(draft, "taken", b"1", 0))
    await engine.close()
    rows, loaded = await load(path)
    assert loaded.index == 17
    assert ("kvs", "refused") not in rows
    assert rows["kvs", "taken"].modify_index == 17


async def test_the_agent_s_own_services_are_upgraded(tmp_path: Path) -> None:
    engine = EmbeddedEngine(old_file(tmp_path, "local.db"), LOCAL, spare=EVERYTHING)
    assert sorted(name for name, _ in engine.load().rows) == ["local_checks", "local_services"]
    await engine.close()


async def test_a_history_that_is_switched_off_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await fill(path)
    engine = EmbeddedEngine(path, ALL)
    engine.load()
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
            if (table, column) not in UNSPARED:
                rows, _ = await load(path, EVERYTHING)
        assert rows.items() <= before.items()
        assert len(rows) >= len(before) - 1


UNSPARED = {("meta", "value"), ("meta", "sum")}  # where a file ended cannot be guessed
