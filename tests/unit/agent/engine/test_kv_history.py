"""The history of keys: every engine answers what was, or that it does not know any more; never something else."""

from __future__ import annotations

import functools
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.data_file import read_history
from support.etcd import EtcdProcess, etcd_place, needs_etcd

from pyconsul.agent.engine.contract import Engine
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.history import sqlite_log
from pyconsul.agent.engine.history.contract import NO_HISTORY, Pruned, Retention
from pyconsul.agent.engine.history.sqlite_prune import PruneScanner
from pyconsul.agent.engine.history.sqlite_read import Reader
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import ALL, KV

PLENTY = Retention(20, 1e9, 1 << 20)
Make = Callable[[Path, Retention], Engine]
MAKERS: dict[str, Make] = {
    "embedded": lambda folder, kept: EmbeddedEngine(folder / "state.db", ALL, kept),
    "memory": lambda folder, kept: MemoryEngine(kept),
}


@pytest.fixture(params=[*sorted(MAKERS), pytest.param("etcd", marks=needs_etcd)])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "etcd":
        etcd = request.getfixturevalue("etcd")
        return lambda folder, kept: etcd_place(etcd, kept)()
    return MAKERS[request.param]


@pytest.fixture(autouse=True)
def _swept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_log, "PruneScanner", functools.partial(PruneScanner, every=2))


class World:
    """What was at each index, as it must be told."""

    def __init__(self) -> None:
        self.index = 0
        self.now: dict[str, KVEntry] = {}
        self.past: list[dict[str, KVEntry]] = [{}]

    def write(self, key: str, value: bytes | None) -> Changeset:
        """Return the next changeset; None deletes."""
        self.index += 1
        old = self.now.get(key)
        created = old.create_index if old else self.index
        row = None if value is None else KVEntry(0, key, len(value), value, created, self.index)
        if row is None:
            self.now.pop(key, None)
        else:
            self.now[key] = row
        self.past.append(dict(self.now))
        changeset = Changeset(self.index, float(self.index))
        changeset.writes = [(KV, key, row)] if row is not None or old is not None else []
        changeset.history = {key: old} if changeset.writes else {}
        return changeset


async def told(engine: Engine, world: World) -> list[dict[str, KVEntry] | None]:
    """What the engine says of each index; None where it does not know. Everything it says must be true."""
    answers: list[dict[str, KVEntry] | None] = []
    for index, truth in enumerate(world.past):
        kept = await read_history(engine, "", tree=True, after=index)
        assert kept is not None
        try:
            rows = {row.key: row for row in kept.at(index, tree=True)}
        except Pruned:
            answers.append(None)
        else:
            assert rows == truth, index
            answers.append(rows)
    assert answers[-1] == world.now
    return answers


async def test_all_that_is_within_bounds_is_known(make: Make, tmp_path: Path) -> None:
    engine, world = make(tmp_path, PLENTY), World()
    await engine.load()
    for key, value in (("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", None), ("b", b"3")):
        await engine.commit([world.write(key, value)])
    assert None not in await told(engine, world)
    kept = await read_history(engine, "b", tree=False, after=None)
    assert kept is not None
    assert [(one.index, one.time, one.entry and one.entry.value) for one in kept.versions()] == [
        (5, 5.0, b"3"),
        (4, 4.0, None),
        (2, 2.0, b"1"),
    ]
    await engine.close()


async def test_a_slice_is_of_one_index_whatever_is_written_meanwhile(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.history.memory.PAGE_KEYS", 1)
    monkeypatch.setattr("pyconsul.agent.engine.history.sqlite_read.PAGE_KEYS", 1)
    monkeypatch.setattr("pyconsul.agent.engine.etcd.history.read.PAGE_KEYS", 1)
    engine, world = make(tmp_path, PLENTY), World()
    await engine.load()
    for key in "abc":
        await engine.commit([world.write(key, b"1")])
    found = await engine.history("", tree=True)
    assert found is not None
    pages = []
    with closing(found):
        async for page in found.pages:
            pages.append(page)
            for key, value in (("b", b"2"), ("c", None), ("d", b"1")):
                await engine.commit([world.write(key, value)])
    assert [[(one.key, one.current and one.current.value, len(one.changes)) for one in page] for page in pages] == [
        [("a", b"1", 1)], [("b", b"1", 1)], [("c", b"1", 1)],
    ]  # fmt: skip
    await engine.close()


async def test_a_reader_that_is_closed_while_it_reads_ends_in_its_own_thread(tmp_path: Path) -> None:
    engine, world = EmbeddedEngine(tmp_path / "state.db", ALL, PLENTY), World()
    await engine.load()
    for key in "abc":
        await engine.commit([world.write(key, b"1")])
    reader = Reader(engine.path, "", PLENTY, tree=True, after=None)
    with reader._in_use:  # as while a page is read
        reader.close()
        assert reader._database.total_changes == 0, "it is still open"
    assert reader.page() == []
    with pytest.raises(sqlite3.ProgrammingError):
        reader._database.execute("SELECT 1")
    await engine.close()


async def test_it_can_be_turned_off(make: Make, tmp_path: Path) -> None:
    engine = make(tmp_path, Retention(0, 1.0, 1))
    await engine.load()
    await engine.commit([World().write("a", b"1")])
    assert await read_history(engine, "a", tree=False, after=None) is None
    await engine.close()


async def test_another_state_has_no_past(make: Make, tmp_path: Path) -> None:
    engine, world = make(tmp_path, PLENTY), World()
    await engine.load()
    await engine.commit([world.write("a", b"old")])
    await engine.commit([world.write("a", b"older")])
    await engine.replace([("kvs", KVEntry(0, "a", 0, b"other", 1, 1))], 7)
    kept = await read_history(engine, "a", tree=False, after=None)
    assert kept is not None
    assert [one.entry.value for one in kept.versions() if one.entry] == [b"other"]
    kept = await read_history(engine, "", tree=True, after=2)
    assert kept is not None
    with pytest.raises(Pruned):
        kept.at(2, tree=True)
    await engine.close()


async def test_it_survives_a_restart_and_starts_over_after_it_was_off(tmp_path: Path) -> None:
    world = World()
    for kept, reach in ((PLENTY, 0), (PLENTY, 0), (Retention(0, 0, 0), None), (PLENTY, 6)):
        engine = MAKERS["embedded"](tmp_path, kept)
        await engine.load()
        for value in (b"1", b"2"):
            await engine.commit([world.write("a", value)])
        if reach is not None:
            answers = await told(engine, world)
            assert all(answer is not None for answer in answers[reach:]), answers
        await engine.close()


WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=40)), max_size=40)
BOUNDS = st.builds(
    Retention, st.integers(1, 5), st.sampled_from([2.0, 7.0, 1e9]), st.sampled_from([150, 600, 1 << 20]), st.just(())
)


def batches(writes: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(writes), size):
        yield writes[start : start + size]


@settings(max_examples=60, deadline=None)
@given(WRITES, BOUNDS, st.integers(1, 5), st.sampled_from(sorted(MAKERS)))
async def test_every_known_version_is_right(writes: list[Any], bounds: Retention, size: int, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await check_all(MAKERS[name](Path(folder), bounds), writes, size)


@needs_etcd
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES, BOUNDS, st.integers(1, 5))
async def test_every_known_version_from_etcd_is_right(
    etcd: EtcdProcess, writes: list[Any], bounds: Retention, size: int
) -> None:
    await check_all(etcd_place(etcd, bounds)(), writes, size)


async def check_all(engine: Engine, writes: list[Any], size: int) -> None:
    world = World()
    await engine.load()
    for batch in batches(writes, size):
        await engine.commit([world.write(key, value) for key, value in batch])
        await told(engine, world)
    await engine.close()


STEPS = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.binary(max_size=40)), min_size=1, max_size=4)
    | BOUNDS
    | st.just(NO_HISTORY),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(sorted(MAKERS)))
async def test_every_known_version_is_right_after_other_limits(steps: list[Any], name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await check_limits(MAKERS[name](Path(folder), PLENTY), steps)


@needs_etcd
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_every_known_version_from_etcd_is_right_after_other_limits(etcd: EtcdProcess, steps: list[Any]) -> None:
    await check_limits(etcd_place(etcd, PLENTY)(), steps)


async def check_limits(engine: Engine, steps: list[Any]) -> None:
    world, bounds = World(), PLENTY
    await engine.load()
    for step in steps:
        if isinstance(step, Retention):
            bounds = step
            await engine.retain(bounds, float(world.index))
        else:
            await engine.commit([world.write(key, value) for key, value in step])
        if bounds.on:
            await told(engine, world)
        else:
            assert await read_history(engine, "a") is None
    await engine.close()


async def versions(engine: Engine, key: str) -> list[int]:
    """Indexes of the versions of a key, the newest first."""
    kept = await read_history(engine, key)
    assert kept is not None
    return [version.index for version in kept.versions()]


async def test_old_changes_are_dropped_without_a_commit(make: Make, tmp_path: Path) -> None:
    engine, world = make(tmp_path, PLENTY._replace(age_s=10.0)), World()
    await engine.load()
    for value in (b"1", b"2", b"3"):
        await engine.commit([world.write("a", value)])
    await engine.retain(PLENTY._replace(age_s=10.0), 12.5)
    assert await versions(engine, "a") == [3, 2]  # the change at index 2 and its time was 10.5 s ago
    await engine.retain(PLENTY._replace(age_s=10.0), 60.0)
    assert await versions(engine, "a") == [3]
    await engine.close()


async def test_fewer_bytes_are_kept_at_once(make: Make, tmp_path: Path) -> None:
    engine, world = make(tmp_path, PLENTY), World()
    await engine.load()
    for _ in range(9):
        await engine.commit([world.write("a", bytes(1000))])
    assert len(await versions(engine, "a")) == 9
    await engine.retain(PLENTY._replace(size_bytes=5000), 9.0)
    assert 3 <= len(await versions(engine, "a")) <= 5
    await engine.close()


async def test_a_history_that_is_turned_on_begins_with_the_last_commit(make: Make, tmp_path: Path) -> None:
    engine, world = make(tmp_path, NO_HISTORY), World()
    await engine.load()
    for value in (b"1", b"2"):
        await engine.commit([world.write("a", value)])
    await engine.retain(PLENTY, 2.0)
    await engine.commit([world.write("a", b"3")])
    assert await versions(engine, "a") == [3, 2]
    assert [answer is None for answer in await told(engine, world)] == [True, True, False, False]
    await engine.retain(NO_HISTORY, 3.0)
    assert await read_history(engine, "a") is None
    await engine.close()
