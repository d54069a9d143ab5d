"""The write path: batches, refusals, and an engine that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state import kv
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


class GatedEngine(MemoryEngine):
    """Commits when the test says so, or fails when it says that."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.commits: list[list[int]] = []
        self.entered = asyncio.Event()

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        self.commits.append([changeset.index for changeset in changesets])
        self.entered.set()
        await self.gate.wait()
        if self.broken:
            raise EngineError("cannot write: No space left on device")
        return changesets[-1].index


def put(txn: WriteTxn, key: str) -> int:
    kv.put(txn, key, b"v", 0)
    return txn.index


async def test_writes_that_wait_share_one_commit_and_each_has_its_index() -> None:
    store, engine = Store(), GatedEngine()
    writer = Writer(store, engine)
    engine.gate.clear()
    first = asyncio.ensure_future(writer.commit(partial(put, key="first")))
    await engine.entered.wait()
    others = [asyncio.ensure_future(writer.commit(partial(put, key=f"k{n}"))) for n in range(5)]
    await one_turn()
    assert len(list(store[KV].prefix(""))) == 0, "visible before it is durable"
    engine.gate.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3, 4, 5, 6]
    assert engine.commits == [[1], [2, 3, 4, 5, 6]]
    assert store.index == 6


async def test_a_refused_operation_affects_no_other() -> None:
    store = Store()
    writer = Writer(store, MemoryEngine())

    def refuse(txn: WriteTxn) -> None:
        kv.put(txn, "half", b"v", 0)
        raise LookupError("no")

    answers = await asyncio.gather(
        writer.commit(partial(put, key="a")),
        writer.commit(refuse),
        writer.commit(partial(put, key="b")),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [int, LookupError, int]
    assert [entry.key for entry in store[KV].prefix("")] == ["a", "b"]
    assert store.index == 2


async def test_an_operation_without_changes_is_not_committed() -> None:
    store, engine = Store(), GatedEngine()
    writer = Writer(store, engine)
    assert await writer.commit(lambda txn: kv.delete(txn, "none"))
    assert engine.commits == []


async def test_a_failure_of_the_engine_reaches_the_caller_and_later_writes_succeed() -> None:
    store, engine = Store(), GatedEngine()
    writer = Writer(store, engine)
    await writer.commit(partial(put, key="a"))
    engine.broken = True
    with pytest.raises(EngineError, match="No space left"):
        await writer.commit(partial(put, key="b"))
    assert [entry.key for entry in store[KV].prefix("")] == ["a"], "reads go on, without what was not kept"
    engine.broken = False
    assert await writer.commit(partial(put, key="c")) == 2
    assert [entry.key for entry in store[KV].prefix("")] == ["a", "c"]


async def test_work_that_waits_behind_a_commit_is_refused_when_the_server_leads_no_more() -> None:
    store, engine = Store(), GatedEngine()
    writer = Writer(store, engine)
    engine.gate.clear()
    begun = asyncio.ensure_future(writer.commit(partial(put, key="begun")))
    await engine.entered.wait()
    waiting = [writer.commit(partial(put, key=f"k{n}")) for n in range(3)]
    writer.refuse_waiting(EngineError("No cluster leader"))
    for refused in waiting:
        with pytest.raises(EngineError, match="No cluster leader"):
            await refused
    engine.gate.set()
    assert await begun == 1
    assert [entry.key for entry in store[KV].prefix("")] == ["begun"]
    assert await writer.commit(partial(put, key="next")) == 2


async def test_a_caller_that_leaves_does_not_stop_the_others() -> None:
    store, engine = Store(), GatedEngine()
    writer = Writer(store, engine)
    engine.gate.clear()
    gone = asyncio.ensure_future(writer.commit(partial(put, key="a")))
    stays = asyncio.ensure_future(writer.commit(partial(put, key="b")))
    await one_turn()
    gone.cancel()
    engine.gate.set()
    assert await stays == 2
    assert [entry.key for entry in store[KV].prefix("")] == ["a", "b"]
