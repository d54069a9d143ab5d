"""An engine that changes while a store follows it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.engine.contract import Conflict, EngineError, OutcomeUnknown
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.engine.memory import MemoryEngine, MemoryPlace
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state import kv, topics
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import ALL, KV
from pyconsul.agent.state.store import Store


def put(index: int, key: str) -> Changeset:
    changeset = Changeset(index, 1.0)
    changeset.writes = [(KV, key, KVEntry(0, key, 0, b"v", index, index))]
    return changeset


class Server:
    """A store that follows a switchable engine, and its writer."""

    def __init__(self, engine: SwitchableEngine) -> None:
        self.engine = engine
        self.store = Store([], 10, min_floor=10)
        self.follower = Follower(self.store, engine)
        self.writer = Writer(self.store, engine, lambda: 1.0, follower=self.follower)

    async def start(self) -> Server:
        await self.engine.load()
        self.follower.start()
        await one_turn()
        return self

    async def put(self, key: str) -> None:
        await self.writer.commit(lambda txn: kv.put(txn, key, b"v", 0))

    def keys(self) -> set[str]:
        return {row.key for row in self.store[KV]}


async def test_without_an_engine_nothing_is_written_and_the_start_succeeds() -> None:
    server = await Server(SwitchableEngine()).start()
    for work in (server.put("a"), server.engine.barrier(), server.engine.history("a")):
        with pytest.raises(EngineError, match=r"^No cluster leader$"):
            await work
    assert not server.engine.has_state
    server.follower.stop()


async def test_an_engine_that_comes_later_is_loaded_and_wakes_waiters() -> None:
    place = MemoryPlace(max_changesets=10)
    place.append([put(20, "a")], 1)
    server = await Server(SwitchableEngine()).start()
    woken: list[int] = []
    server.store.watches.add(lambda: woken.append(server.store.index), [topics.of_key("a")])
    server.engine.switch(MemoryEngine(place=place))
    await eventually_async(lambda: server.engine.has_state)
    assert server.keys() == {"a"}
    assert woken == [server.store.index] == [20]
    await server.put("b")
    assert server.store.index == 21
    server.follower.stop()


async def test_the_same_state_in_another_engine_wakes_nobody_and_goes_on() -> None:
    first, second = MemoryPlace(max_changesets=10), MemoryPlace(max_changesets=10)
    engine = SwitchableEngine()
    engine.switch(MemoryEngine(place=first))
    server = await Server(engine).start()
    await server.put("a")
    restored = server.store.restored
    with engine.recording() as recording:
        await server.put("b")
        assert [changeset.index for changeset in recording.changesets] == [server.store.index]
    async with engine.held():
        second.append([put(server.store.index, "a")], 1)
        waiting = asyncio.ensure_future(server.put("c"))
        await one_turn()
        await one_turn()
        assert not waiting.done()
        engine.switch(MemoryEngine(place=second), same_state=True)
    await waiting
    assert second.index == server.store.index == 13
    assert first.index == 12
    assert server.store.restored == restored
    second.append([put(14, "by another server")], 2)
    await eventually_async(lambda: server.store.index == 14)
    server.follower.stop()


async def test_a_server_that_loses_its_engine_keeps_what_it_has_read(tmp_path: Path) -> None:
    engine = SwitchableEngine()
    embedded = EmbeddedEngine(tmp_path / "state.db", ALL)
    engine.switch(embedded)
    server = await Server(engine).start()
    await server.put("a")
    engine.switch(None)
    with pytest.raises(EngineError, match="No cluster leader"):
        await server.put("b")
    assert server.keys() == {"a"}
    with pytest.raises(EngineError):
        await engine.load()
    await embedded.close()
    server.follower.stop()


async def test_the_outcome_of_a_commit_to_an_earlier_engine_stays_unknown() -> None:
    engine = SwitchableEngine()
    engine.switch(MemoryEngine(place=MemoryPlace(max_changesets=10)))
    await engine.load()
    await engine.commit([put(1, "a")])
    engine.switch(MemoryEngine(place=MemoryPlace(max_changesets=10)))
    with pytest.raises(OutcomeUnknown):
        await engine.took_effect(1)
    with pytest.raises(Conflict):
        await engine.commit([put(2, "b")])  # it was not loaded yet
