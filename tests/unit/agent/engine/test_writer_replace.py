"""Another state takes the place of all there is: in turn with writes, as a whole, and whoever asked for it may go away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

NEW = [("kvs", KVEntry(0, "new", 0, b"v", 40, 40))]


class SlowEngine(MemoryEngine):
    """Does nothing until the test lets it, and says what it did."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.done: list[str] = []
        self.broken = False

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        await self.gate.wait()
        self.done.append(f"commit {changesets[-1].index}")
        return changesets[-1].index

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        await self.gate.wait()
        if self.broken:
            raise EngineError("cannot write: No space left on device")
        self.done.append(f"replace {index}")


def put(txn: WriteTxn, key: str) -> int:
    kv.put(txn, key, b"v", 0)
    return txn.index


def keys(store: Store) -> list[str]:
    return [entry.key for entry in store[KV].prefix("")]


async def test_it_waits_its_turn_and_indexes_go_on_rising() -> None:
    store, engine = Store(index=10), SlowEngine()
    writer = Writer(store, engine)
    before = [asyncio.ensure_future(writer.commit(partial(put, key=f"old{n}"))) for n in range(2)]
    replaced = asyncio.ensure_future(writer.replace(NEW, 5))
    after = asyncio.ensure_future(writer.commit(partial(put, key="after")))
    await one_turn()
    engine.gate.set()
    assert await asyncio.gather(*before, replaced, after) == [11, 12, 13, 14]
    assert engine.done == ["commit 12", "replace 13", "commit 14"]
    assert keys(store) == ["after", "new"]
    assert store.index_of("kvs") == 14


async def test_a_later_state_s_index_counts() -> None:
    store, engine = Store(index=10), SlowEngine()
    engine.gate.set()
    assert await Writer(store, engine).replace(NEW, 40) == 41
    assert store.index == 41
    entry = store[KV].get("new")
    assert entry is not None
    assert entry.modify_index == 40


async def test_all_waiting_readers_wake() -> None:
    store, engine = Store(), SlowEngine()
    engine.gate.set()
    woken: list[str] = []
    store.watches.add(lambda: woken.append("topic"), ["nodes"])
    store.watches.add(lambda: woken.append("prefix"), [], ["kv/"])
    await Writer(store, engine).replace(NEW, 5)
    assert woken == ["topic", "prefix"]


async def test_a_failed_restore_changes_nothing_and_writes_continue() -> None:
    store, engine = Store(), SlowEngine()
    engine.gate.set()
    writer = Writer(store, engine)
    await writer.commit(partial(put, key="old"))
    engine.broken = True
    with pytest.raises(EngineError):
        await writer.replace(NEW, 5)
    assert keys(store) == ["old"]
    assert await writer.commit(partial(put, key="next")) == 2


async def test_a_caller_that_goes_away_does_not_split_store_and_engine() -> None:
    store, engine = Store(), SlowEngine()
    writer = Writer(store, engine)
    caller = asyncio.ensure_future(writer.replace(NEW, 5))
    await one_turn()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    engine.gate.set()
    await writer.drain()
    assert engine.done == ["replace 6"]
    assert keys(store) == ["new"]
