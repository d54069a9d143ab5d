"""Two servers that write to one place: both reach the same state, and no write is lost or made on the strength of an old one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.etcd import EtcdProcess, etcd_place, needs_etcd
from support.eventually import one_turn

from pyconsul.agent.engine.batch import size_of
from pyconsul.agent.engine.contract import Engine, EngineError, Limits, OutcomeUnknown
from pyconsul.agent.engine.follower import LARGE_ROWS, Follower
from pyconsul.agent.engine.memory import MemoryEngine, MemoryPlace
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import codec, kv, topics
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import ALL, INDEXES, KV
from pyconsul.agent.state.store import Store, floor_row
from pyconsul.agent.state.write_txn import WriteTxn


class Server:
    """A store, its engine, and its writer."""

    def __init__(self, engine: Engine, stall_s: float = 10.0) -> None:
        self.engine = engine
        self.store = Store([floor_row(0)], 10, min_floor=10)
        self.follower = Follower(self.store, self.engine)
        self.writer = Writer(self.store, self.engine, lambda: 1.0, stall_s, self.follower)

    async def put(self, key: str, value: bytes, cas: int | None = None) -> bool:
        return await self.writer.commit(lambda txn: kv.put(txn, key, value, 0, cas))

    def values(self) -> dict[str, bytes | None]:
        return {entry.key: entry.value for entry in self.store[KV]}

    async def follow(self) -> None:
        """Wait until everything that was committed is installed."""
        await self.follower.reach(await self.engine.barrier(), 5.0)


Start = Callable[[], Awaitable[Server]]


@asynccontextmanager
async def servers_of(open_place: Callable[[], Engine]) -> AsyncIterator[Start]:
    """Gives a function that starts one more server; all are stopped at the end."""
    started: list[Server] = []

    async def start() -> Server:
        server = Server(open_place())
        await server.engine.load()
        started.append(server)
        return server

    yield start
    for server in started:
        server.follower.stop()
        await server.engine.close()


def switchable_to(opened: Callable[[], Engine]) -> SwitchableEngine:
    engine = SwitchableEngine()
    engine.switch(opened())
    return engine


@pytest.fixture(params=["memory", "switchable memory", pytest.param("etcd", marks=needs_etcd)])
async def start(request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """Starts one more server of the same cluster."""
    if request.param == "etcd":
        open_place: Callable[[], Engine] = etcd_place(request.getfixturevalue("etcd"))
    else:
        shared = place()
        open_place = partial(MemoryEngine, place=shared)
    if request.param.startswith("switchable"):
        open_place = partial(switchable_to, open_place)
    async with servers_of(open_place) as start_server:
        yield start_server


def place(max_changesets: int = 1000) -> MemoryPlace:
    return MemoryPlace(max_changesets=max_changesets)


def state(store: Store) -> dict[str, object]:
    tables = {schema.name: {schema.key(row): row for row in store[schema]} for schema in (INDEXES, *ALL)}
    return {**tables, "index": store.index}


async def test_the_writes_of_one_server_show_on_the_other_and_wake_its_watchers(start: Start) -> None:
    one, other = await start(), await start()
    other.follower.start()
    woken: list[str] = []
    other.store.watches.add(lambda: woken.append("key"), (topics.of_key("a"),))
    other.store.watches.add(lambda: woken.append("index"), ("kvs",))
    await one.put("a", b"1")
    await other.follow()
    assert woken == ["key", "index"]
    assert other.values() == {"a": b"1"}
    assert (other.store.index, other.store.index_of("kvs")) == (11, 11)
    other.follower.stop()


async def test_a_write_on_an_old_state_is_made_again_on_the_new_one(start: Start) -> None:
    one, other = await start(), await start()
    assert await one.put("a", b"1", cas=0)
    assert not await other.put("a", b"2", cas=0), "it is there already"
    assert await other.put("a", b"2", cas=11)
    assert await one.put("b", b"3")
    assert one.values() == {"a": b"2", "b": b"3"}
    await other.follow()
    assert state(one.store) == state(other.store)


async def test_a_refusal_on_an_old_state_is_looked_at_again(start: Start) -> None:
    one, other = await start(), await start()
    await one.put("a", b"1")

    def require(txn: WriteTxn) -> bytes | None:
        entry = txn[KV].get("a")
        if entry is None:
            raise Refused("there is no key a")
        return entry.value

    assert await other.writer.commit(require) == b"1"
    with pytest.raises(Refused, match="key b"):
        await other.writer.commit(partial(_refuse, "key b"))


def _refuse(text: str, txn: WriteTxn) -> None:
    raise Refused(text)


async def test_a_batch_with_a_conflict_is_made_again_as_a_whole(start: Start) -> None:
    one, other = await start(), await start()
    await one.put("x", b"1")
    results = await asyncio.gather(
        other.put("a", b"1"),
        other.writer.commit(partial(_refuse, "no")),
        other.put("x", b"2", cas=0),
        other.put("b", b"1"),
        return_exceptions=True,
    )
    assert [results[0], type(results[1]), results[2], results[3]] == [True, Refused, False, True]
    await one.follow()
    assert state(one.store) == state(other.store)


async def test_a_long_operation_with_a_conflict_is_made_again(start: Start) -> None:
    one, other = await start(), await start()
    await one.put("t/1", b"1")
    await other.writer.commit_steps(lambda txn: kv.delete_tree(txn, "t/"))
    await one.follow()
    assert one.values() == other.values() == {}


async def test_a_large_changeset_of_another_server_shows_as_a_whole(start: Start) -> None:
    one, other = await start(), await start()
    other.follower.start()

    def fill(txn: WriteTxn) -> None:
        for number in range(LARGE_ROWS + 1):
            kv.put(txn, f"k{number}", b"v", 0)

    await one.writer.commit(fill)
    seen = set()
    while other.store.index < one.store.index:
        seen.add(len(list(other.store[KV].prefix("k"))))
        await one_turn()
    assert seen <= {0, LARGE_ROWS + 1}
    await other.follow()
    assert state(one.store) == state(other.store)
    other.follower.stop()


async def test_another_state_of_one_server_is_that_of_the_other_too(start: Start) -> None:
    one, other = await start(), await start()
    other.follower.start()
    await one.put("old", b"1")
    await other.follow()
    woken: list[str] = []
    other.store.watches.add(lambda: woken.append("nodes"), ("nodes",))
    assert await one.writer.replace([("kvs", KVEntry(0, "new", 0, b"v", 3, 3))], 40) == 41
    await other.follow()
    assert woken == ["nodes"]
    assert (other.store.index, other.store.restored, other.values()) == (41, 41, {"new": b"v"})
    assert await other.put("next", b"1")
    await one.follow()
    assert state(one.store) == state(other.store)
    other.follower.stop()


async def test_a_restore_replaces_concurrent_writes_of_others(start: Start) -> None:
    one, other = await start(), await start()
    for number in range(3):
        await one.put(f"k{number}", b"v")
    assert await other.writer.replace([("kvs", KVEntry(0, "new", 0, b"v", 3, 3))], 5) == 14
    await one.follow()
    assert state(one.store) == state(other.store)
    assert one.values() == {"new": b"v"}


async def test_a_server_that_was_away_for_long_reads_everything_again() -> None:
    shared = place(max_changesets=2)
    one, other = Server(MemoryEngine(place=shared)), Server(MemoryEngine(place=shared))
    for number in range(5):
        await one.put(f"k{number}", b"v")
    assert await other.put("mine", b"v")
    await one.follow()
    assert state(one.store) == state(other.store)


class Unsure(MemoryEngine):
    """Does not say whether it kept a commit: it kept it, or it did not; asked about it, it fails a few times first."""

    def __init__(self, shared: MemoryPlace, kept: bool, failures: int = 0) -> None:
        super().__init__(place=shared)
        self.kept, self.failures, self.unsure, self.asked = kept, failures, True, 0

    async def commit(self, batch: Sequence[Changeset]) -> int:
        if not self.unsure:
            return await super().commit(batch)
        self.unsure = False
        self.commit_id = 7
        if self.kept:
            await super().commit(batch)
        raise OutcomeUnknown("no answer", self.commit_id)

    async def took_effect(self, commit_id: int) -> bool:
        self.asked += 1
        if self.asked <= self.failures:
            raise EngineError("no answer")
        assert commit_id == self.commit_id
        return await super().took_effect(commit_id)


@pytest.mark.parametrize("kept", [True, False])
async def test_after_an_unknown_outcome_each_write_is_made_once(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.writer.RETRY_S", 0.0)
    shared = place()
    engine = Unsure(shared, kept, failures=2)
    server = Server(engine)
    runs: list[int] = []

    def append(txn: WriteTxn) -> None:
        runs.append(txn.index)
        old = txn[KV].get("log")
        kv.put(txn, "log", ((old.value or b"") if old else b"") + b"x", 0)

    await server.writer.commit(append)
    assert server.values() == {"log": b"x"}
    assert (engine.asked, len(runs)) == (3, 1 if kept else 2)
    await server.writer.commit(append)
    assert server.values() == {"log": b"xx"}
    assert shared.index == server.store.index == 12


@pytest.mark.parametrize("kept", [True, False])
async def test_a_writer_that_ends_finds_out_about_its_last_write(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.writer.RETRY_S", 0.0)
    server = Server(Unsure(place(), kept, failures=2))
    written = asyncio.ensure_future(server.put("a", b"1"))
    await one_turn()
    await server.writer.drain()
    assert await written
    assert server.values() == {"a": b"1"}


async def test_an_outcome_that_stays_unknown_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.writer.SETTLE_S", 0.0)
    shared = place()
    server = Server(Unsure(shared, kept=True, failures=10**9), stall_s=0.0)
    with pytest.raises(OutcomeUnknown):
        await server.put("a", b"1")
    with pytest.raises(EngineError, match="was not begun"):
        await server.put("b", b"1")
    await server.writer.drain()


def size_of_a_put() -> int:
    txn = WriteTxn(Store(index=10))
    txn.begin(11, 1.0)
    kv.put(txn, "k0", b"0123456789", 0)
    changeset = txn.finish()
    codec.store_rows(changeset)
    rows, size_bytes = size_of(changeset)
    assert rows == 3, "the row, the index, and the history"
    return size_bytes


@pytest.mark.parametrize("limits", [Limits(rows=6), Limits(size_bytes=2 * size_of_a_put())])
async def test_no_commit_is_larger_than_the_engine_s_limits(limits: Limits) -> None:
    commits: list[int] = []

    class Bounded(MemoryEngine):
        async def commit(self, batch: Sequence[Changeset]) -> int:
            commits.append(len(batch))
            return await super().commit(batch)

    server = Server(Bounded(place=place(), limits=limits))
    assert await asyncio.gather(*(server.put(f"k{number}", b"0123456789") for number in range(7))) == [True] * 7
    assert commits == [2, 2, 2, 1]

    def too_large(txn: WriteTxn) -> None:
        for number in range(4):
            kv.put(txn, f"other{number}", b"0123456789", 0)

    results = await asyncio.gather(
        server.put("before", b"1"), server.writer.commit(too_large), server.put("after", b"1"), return_exceptions=True
    )
    assert [results[0], results[2]] == [True, True]
    assert isinstance(results[1], Refused)
    assert "one commit may have" in str(results[1])
    with pytest.raises(Refused, match="one commit may have"):
        await server.writer.commit_steps(lambda txn: kv.delete_tree(txn, "k"))
    assert len(server.values()) == 9


def append_to(key: str, mark: bytes) -> Callable[[WriteTxn], None]:
    def append(txn: WriteTxn) -> None:
        old = txn[KV].get(key)
        kv.put(txn, key, ((old.value or b"") if old else b"") + mark, 0)

    return append


WRITES = st.lists(st.tuples(st.integers(0, 1), st.sampled_from("ab"), st.booleans()), max_size=30)


@settings(max_examples=60, deadline=None)
@given(WRITES, st.sampled_from([3, 100]))
async def test_whatever_both_write_nothing_is_lost(writes: list[tuple[int, str, bool]], kept: int) -> None:
    shared = place(kept)
    async with servers_of(lambda: MemoryEngine(place=shared)) as start:
        await both_write(start, writes)


@needs_etcd
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES)
async def test_whatever_both_write_to_etcd_nothing_is_lost(
    etcd: EtcdProcess, writes: list[tuple[int, str, bool]]
) -> None:
    async with servers_of(etcd_place(etcd)) as start:
        await both_write(start, writes)


async def both_write(start: Start, writes: list[tuple[int, str, bool]]) -> None:
    servers = [await start(), await start()]
    tasks = []
    for number, (which, key, waits) in enumerate(writes):
        tasks.append(servers[which].writer.commit(append_to(key, b"%d." % number)))
        if waits:
            await one_turn()
    await asyncio.gather(*tasks)
    for server in servers:
        await server.follow()
    assert state(servers[0].store) == state(servers[1].store)
    for key in "ab":
        found = (servers[0].values().get(key) or b"").split(b".")[:-1]
        assert sorted(found) == sorted(b"%d" % number for number, (_, other, _) in enumerate(writes) if other == key)
        for which in (0, 1):  # each server's writes in the order of their calls
            own = [number for one in found if writes[number := int(one)][0] == which]
            assert own == sorted(own)
