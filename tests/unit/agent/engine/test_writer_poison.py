"""Whatever one operation writes or raises, its caller is answered and no other write is harmed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.eventually import one_turn
from support.rows import SAMPLES, poisoned

from pyconsul.agent.engine import writer as module
from pyconsul.agent.engine.contract import Engine, EngineError, OutcomeUnknown
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import ALL, KV, SESSIONS
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

HISTORY = Retention(20, 1e9, 1 << 20)
SCHEMAS = {schema.name: schema for schema in ALL}
Poison = tuple[str, Any]


def innocent(key: str) -> Callable[[WriteTxn], bool]:
    return lambda txn: kv.put(txn, key, b"v", 0)


def writing(poison: Poison) -> Callable[[WriteTxn], None]:
    table, row = poison

    def write(txn: WriteTxn) -> None:
        txn.put(SCHEMAS[table], row)
        txn.raise_index(table)

    return write


async def write_all(engine: Engine, batches: Sequence[Sequence[Poison]]) -> tuple[Store, list[Poison]]:
    """Write batches of poison between innocent writes; the poison that was acknowledged."""
    loaded = await engine.load()
    store = Store(loaded.rows, loaded.index)
    writer = Writer(store, engine)
    acknowledged: list[Poison] = []
    count = 0
    for batch in batches:
        tasks: list[asyncio.Task[Any]] = []
        for poison in batch:
            tasks.append(asyncio.ensure_future(writer.commit(innocent(f"before/{count}"))))
            tasks.append(asyncio.ensure_future(writer.commit(writing(poison))))
            count += 1
        tasks.append(asyncio.ensure_future(writer.commit(innocent(f"after/{count}"))))
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
        assert all(result is True for result in done[::2]), "an innocent write was harmed"
        acknowledged += [one for one, result in zip(batch, done[1::2], strict=False) if result is None]
    await writer.drain()
    return store, acknowledged


def test_there_is_a_sample_of_every_table() -> None:
    assert SAMPLES.keys() == SCHEMAS.keys()
    for name, row in SAMPLES.items():
        assert isinstance(row, SCHEMAS[name].row_type)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(poisoned(), max_size=4), max_size=3))
def test_poison_fails_alone_and_acknowledged_writes_survive_a_restart(batches: list[list[Poison]]) -> None:
    async def scenario(path: Path) -> None:
        engine = EmbeddedEngine(path, ALL, HISTORY)
        _, acknowledged = await write_all(engine, batches)
        await engine.close()
        again = EmbeddedEngine(path, ALL, HISTORY)
        found = {(table, SCHEMAS[table].key(row)) for table, row in (await again.load()).rows if table in SCHEMAS}
        await again.close()
        assert {(table, SCHEMAS[table].key(row)) for table, row in acknowledged} <= found
        count = sum(1 for table, _ in found if table == "kvs")
        assert count >= sum(map(len, batches)) + len({sum(map(len, batches[: n + 1])) for n in range(len(batches))})

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder) / "state.db"))


@settings(max_examples=60, deadline=None)
@given(st.lists(poisoned(), min_size=1, max_size=6))
def test_nothing_that_cannot_be_stored_is_in_memory_either(batch: list[Poison]) -> None:
    async def scenario() -> None:
        store, acknowledged = await write_all(MemoryEngine(HISTORY), [batch])
        keys = {(table, SCHEMAS[table].key(row)) for table, row in acknowledged}
        for name, schema in SCHEMAS.items():
            for row in store[schema]:
                assert name == KV.name or (name, schema.key(row)) in keys

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [StopIteration(), KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(1)])
async def test_whatever_an_operation_raises_only_its_caller_hears_of_it(error: BaseException) -> None:
    writer = Writer(Store(), MemoryEngine())

    def fail(txn: WriteTxn) -> None:
        raise error

    results = await asyncio.gather(
        writer.commit(innocent("a")), writer.commit(fail), writer.commit(innocent("b")), return_exceptions=True
    )
    assert [results[0], results[2]] == [True, True]
    assert isinstance(results[1], EngineError)


async def test_a_failing_listener_affects_no_other() -> None:
    store = Store()
    writer = Writer(store, MemoryEngine())
    called: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    store.watches.add(fail, ("kvs",))
    store.watches.add(lambda: called.append("second"), ("kvs",))
    assert await writer.commit(innocent("a")) is True
    assert called == ["second"]


class Failing(MemoryEngine):
    """Fails a commit with an error that no engine announces."""

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        if any(key == "bad" for changeset in changesets for _, key, _ in changeset.writes):
            raise ZeroDivisionError("unforeseen")
        return await super().commit(changesets)


async def test_an_unexpected_error_of_the_engine_reaches_the_caller_and_the_writer_continues() -> None:
    store = Store()
    writer = Writer(store, Failing())
    with pytest.raises(EngineError, match="unforeseen"):
        await writer.commit(innocent("bad"))
    assert await writer.commit(innocent("good")) is True
    assert [row.key for row in store[KV]] == ["good"]


async def test_a_row_that_cannot_be_installed_is_reported_and_the_rest_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store()
    writer = Writer(store, MemoryEngine())
    table = store._tables[KV.name]
    put_at = type(table).put_at

    def fail(self: Any, key: str, row: Any) -> Any:
        if self is table and key == "bad":
            raise MemoryError
        return put_at(self, key, row)

    monkeypatch.setattr(type(table), "put_at", fail)
    results = await asyncio.gather(
        writer.commit(innocent("a")),
        writer.commit(innocent("bad")),
        writer.commit(innocent("b")),
        return_exceptions=True,
    )
    assert isinstance(results[1], EngineError)
    assert "after a restart" in str(results[1])
    assert [row.key for row in store[KV]] == ["a", "b"]
    assert store.index == 3


class Stuck(MemoryEngine):
    """A disk that does not come back until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        await self.gate.wait()
        return changesets[-1].index


async def test_a_disk_that_hangs_is_reported_to_every_caller() -> None:
    store, engine = Store(), Stuck()
    writer = Writer(store, engine, stall_s=0.0)
    first = asyncio.ensure_future(writer.commit(innocent("first")))
    await one_turn()
    behind = asyncio.ensure_future(writer.commit(innocent("behind")))
    with pytest.raises(OutcomeUnknown, match="may still take effect"):
        await first
    with pytest.raises(EngineError, match="was not begun"):
        await behind
    engine.gate.set()
    assert await writer.commit(innocent("later")) is True
    assert [row.key for row in store[KV]] == ["first", "later"]


async def test_a_commit_that_hangs_is_given_up_when_another_server_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASS_ON_S", 0.0)
    store, engine = Store(), Stuck()
    writer = Writer(store, engine, stall_s=3600.0)
    first = asyncio.ensure_future(writer.commit(innocent("first")))
    await one_turn()
    behind = asyncio.ensure_future(writer.commit(innocent("behind")))
    await one_turn()
    writer.pass_on(EngineError("No cluster leader"))
    with pytest.raises(EngineError, match="No cluster leader"):
        await behind
    with pytest.raises(OutcomeUnknown, match="another server leads now"):
        await first
    engine.gate.set()
    assert await writer.commit(innocent("later")) is True


@pytest.mark.parametrize(
    ("rows", "index", "text"),
    [
        ([("kvs", SAMPLES["kvs"])], 1 << 62, "index 4611686018427387904 is out of range"),
        ([("nosuch", SAMPLES["kvs"])], 5, "unknown table"),
        ([("nodes", SAMPLES["kvs"])], 5, "wrong type"),
        (
            [("sessions", SAMPLES["sessions"].__class__("s", "", "n", 1, "release", "garbage", None, None, 1, 1))],
            5,
            "TTL",
        ),
        ([("kvs", SAMPLES["kvs"].__class__(0, "k", 0, b"", 1, 1 << 60))], 5, "out of range"),
    ],
)
async def test_a_state_that_breaks_a_rule_replaces_nothing(rows: list[Poison], index: int, text: str) -> None:
    store = Store()
    writer = Writer(store, MemoryEngine())
    await writer.commit(innocent("a"))
    with pytest.raises(Refused, match=text):
        await writer.replace(rows, index)
    assert [row.key for row in store[KV]] == ["a"]
    assert await writer.commit(innocent("b")) is True
    assert not list(store[SESSIONS])
