"""Faults between any two steps of servers on a real etcd: each acknowledged write is there once, and all servers agree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

import pytest
from aetcd import rpc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.etcd import EtcdProcess, etcd_place, needs_etcd
from support.etcd_faults import Fault, FaultyClient
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError, Limits
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL, INDEXES, KV
from pyconsul.agent.state.store import Store, floor_row
from pyconsul.agent.state.write_txn import WriteTxn

pytestmark = needs_etcd
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Do = Literal["append", "large", "replace", "break watch", "compact", "wait"]
Step = tuple[int, Do, list[Fault]]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["append", "append", "append", "large", "replace", "break watch", "compact", "wait"]),
        st.lists(st.sampled_from(["", "request lost", "answer lost", "late"]), max_size=4),
    ),
    max_size=25,
)


BULK = 100


class Server:
    """A server on etcd, whose network is bad at times."""

    def __init__(self, engine: EtcdEngine, client: FaultyClient) -> None:
        self.engine, self.client = engine, client
        self.store = Store([floor_row(0)], 10, min_floor=10)
        self.follower = Follower(self.store, engine)
        self.writer = Writer(self.store, engine, lambda: 1.0, follower=self.follower)

    async def append(self, number: int) -> None:
        """Append a number to the key `log`: an operation that must not run twice."""

        def append(txn: WriteTxn) -> None:
            old = txn[KV].get("log")
            kv.put(txn, "log", ((old.value or b"") if old else b"") + b"%d." % number, 0)

        await self.writer.commit(append)

    async def write_bulk(self, number: int) -> None:
        """Write more keys than fit into one transaction."""

        def write(txn: WriteTxn) -> None:
            for key in range(BULK):
                kv.put(txn, f"bulk/{key}", b"%d" % number, 0)

        await self.writer.commit(write)

    def bulk(self) -> set[bytes | None]:
        """Return the values of the keys that are written at once."""
        return {row.value for row in self.store[KV].prefix("bulk/")}

    def numbers(self) -> list[int]:
        found = self.store[KV].get("log")
        return [int(one) for one in (found.value or b"").split(b".")[:-1]] if found is not None else []

    async def stop(self) -> None:
        self.follower.stop()
        await self.writer.drain()
        await self.engine.close()


async def servers(etcd: EtcdProcess) -> list[Server]:
    open_place = etcd_place(etcd, limits=Limits(rows=BULK // 2, size_bytes=1 << 20, takes_larger=True))
    started = []
    for _ in range(2):
        engine = open_place()
        await engine._client.close()
        client = FaultyClient(etcd.endpoint)
        engine._client = client
        await engine.load()
        started.append(Server(engine, client))
        started[-1].follower.start()
    return started


async def compact(client: FaultyClient) -> None:
    """Let etcd forget everything but the present."""
    channel = client._channel(client.endpoints[0])
    now = await rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"x"))
    with suppress(rpc.AioRpcError):  # it was compacted already
        await rpc.KVStub(channel).Compact(rpc.CompactionRequest(revision=now.header.revision))


class Run:
    """Carries steps out, and notes which writes were acknowledged, refused, and lost by a restore."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self.tasks: dict[int, asyncio.Task[Any]] = {}
        self.restore: int | None = None  # the last
        self.after_restore: set[int] = set()  # writes that began when the last restore was over

    async def step(self, number: int, server: Server, do: Do, faults: list[Fault]) -> None:
        server.client.faults.extend(faults)
        if do == "append":
            if self.restore is not None and self.tasks[self.restore].done():
                self.after_restore.add(number)
            self.tasks[number] = asyncio.ensure_future(server.append(number))
        elif do == "large":
            self.tasks[number] = asyncio.ensure_future(server.write_bulk(number))
        elif do == "replace":
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
            server.client.faults.clear()
            server.client.faults.extend(faults)
            self.restore = number
            self.after_restore.clear()
            row = KVEntry(0, "restored", 0, b"%d" % number, 1, 1)
            self.tasks[number] = asyncio.ensure_future(server.writer.replace([("kvs", row)], 1))
        elif do == "break watch":
            server.client.break_watch()
        elif do == "compact":
            await compact(server.client)
        else:
            await one_turn()

    async def finish(self) -> None:
        """Let all faults end, and wait until all servers have seen all there is."""
        for server in self.servers:
            server.client.faults.clear()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for server in self.servers:
            await server.client.settle()
        for server in self.servers:
            await server.follower.reach(await server.engine.barrier(), 10.0)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.engine.writer.RETRY_S", 0.002)
    monkeypatch.setattr("pyconsul.agent.engine.follower.RETRY_S", 0.01)


def state(store: Store) -> dict[str, object]:
    return {schema.name: {schema.key(row): row for row in store[schema]} for schema in (INDEXES, *ALL)}


@SETTINGS
@given(STEPS)
@example([(0, "append", ["late"]), (1, "append", [])])
@example([(0, "large", ["", "", "request lost"]), (1, "append", [])])
@example([(0, "large", ["", "late", "", "late"]), (1, "large", ["", "", "late", "late"])])
@example([(0, "append", ["answer lost"]), (1, "append", []), (0, "append", ["late", "late"])])
@example([(0, "append", []), (0, "compact", []), (1, "break watch", []), (1, "append", ["request lost"])])
async def test_whatever_is_lost_every_write_is_made_once(etcd: EtcdProcess, steps: list[Step]) -> None:
    both = await servers(etcd)
    run = Run(both)
    for number, (which, do, faults) in enumerate(steps):
        if do != "replace":
            await run.step(number, both[which], do, faults)
    await run.finish()
    seen = both[0].numbers()
    assert both[1].numbers() == seen
    assert len(seen) == len(set(seen)), "a write was made twice"
    for number, task in run.tasks.items():
        if steps[number][1] == "append":
            assert (number in seen) is (task.exception() is None), (number, task)
    made = {
        b"%d" % number for number, task in run.tasks.items() if steps[number][1] == "large" and not task.exception()
    }
    assert both[0].bulk() <= made
    assert len(both[0].bulk()) == bool(made), "a large commit is made as a whole"
    assert (state(both[0].store), both[0].store.index) == (state(both[1].store), both[1].store.index)
    again = EtcdEngine(Client([etcd.endpoint]), both[0].engine._prefix, "another")
    loaded = Store((await again.load()).rows)
    assert state(loaded) == state(both[0].store), "etcd holds what the servers show"
    await again.close()
    for server in both:
        await server.stop()


@SETTINGS
@given(STEPS)
@example([(0, "append", []), (0, "replace", ["", "", "answer lost"]), (1, "append", [])])
@example([(0, "append", []), (0, "replace", ["", "", "late"]), (1, "append", [])])
@example(
    [
        (1, "append", []),
        (0, "wait", []),
        (0, "append", []),
        (0, "break watch", ["request lost", "", "request lost", "answer lost"]),
        (0, "replace", ["request lost"]),
        (1, "append", ["", "answer lost", "", "answer lost"]),
        (1, "compact", ["request lost"]),
        (1, "break watch", []),
    ]
)
async def test_a_restore_in_between_leaves_one_state(etcd: EtcdProcess, steps: list[Step]) -> None:
    both = await servers(etcd)
    run = Run(both)
    last_index = [0, 0]
    for number, (which, do, faults) in enumerate(steps):
        await run.step(number, both[which], do, faults)
        for server, index in enumerate(last_index):
            assert both[server].store.index >= index, "an index fell"
            last_index[server] = both[server].store.index
    await run.finish()
    for server in both:
        await server.follower.reach(await server.engine.barrier(), 10.0)
    assert state(both[0].store) == state(both[1].store)
    assert both[0].store.index == both[1].store.index
    seen = both[0].numbers()
    assert len(seen) == len(set(seen)), "a write was made twice"
    if run.restore is not None and not run.tasks[run.restore].exception():
        row = both[0].store[KV].get("restored")
        assert row is not None
        assert int(row.value or b"") == run.restore
        made = {number for number, task in run.tasks.items() if steps[number][1] == "append" and not task.exception()}
        assert run.after_restore & made <= set(seen) <= {number for number in made if number > run.restore}
    for server in both:
        await server.stop()


async def test_a_full_etcd_refuses_writes_and_accepts_them_again() -> None:
    process = EtcdProcess("--quota-backend-bytes", str(1 << 20))
    try:
        process.start()
        server = Server(engine := etcd_place(process)(), FaultyClient(process.endpoint))
        await engine.load()
        reason = await until_refused(lambda number: server.writer.commit(big(number)))
        assert "space exceeded" in str(reason)
        assert server.store[KV].get("k0") is not None, "reads go on"
        with pytest.raises(EngineError):
            await server.append(1)
        process.options = ()
        process.restart()
        channel = engine._client._channel(process.endpoint)
        alarms = rpc.MaintenanceStub(channel).Alarm
        off = rpc.AlarmRequest.AlarmAction.DEACTIVATE
        for found in (await alarms(rpc.AlarmRequest())).alarms:
            await alarms(rpc.AlarmRequest(action=off, memberID=found.memberID, alarm=found.alarm))
        await server.append(1)
        assert server.numbers() == [1]
        await server.stop()
    finally:
        process.remove()


def big(number: int) -> Callable[[WriteTxn], None]:
    def put(txn: WriteTxn) -> None:
        kv.put(txn, f"k{number}", b"x" * 100_000, 0)

    return put


async def until_refused(write: Callable[[int], Awaitable[Any]]) -> EngineError:
    for number in range(100):
        try:
            await write(number)
        except EngineError as error:
            return error
    raise AssertionError("etcd never filled up")
