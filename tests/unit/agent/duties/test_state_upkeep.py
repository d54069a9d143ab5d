"""Old tombstones and ended lock delays are dropped; younger ones stay."""

from __future__ import annotations

import pytest

from pyconsul.agent.duties.state_upkeep import StateUpkeep
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.kv import LockDelay, Tombstone
from pyconsul.agent.state.kv import TOMBSTONE_TTL
from pyconsul.agent.state.schemas import LOCK_DELAYS, TOMBSTONES
from pyconsul.agent.state.store import Store

NOW = 10_000.0
ROWS = [
    (TOMBSTONES.name, Tombstone("old", 1, NOW - TOMBSTONE_TTL - 1)),
    (TOMBSTONES.name, Tombstone("young", 2, NOW - TOMBSTONE_TTL + 1)),
    (LOCK_DELAYS.name, LockDelay("ended", NOW)),
    (LOCK_DELAYS.name, LockDelay("lasting", NOW + 1)),
]


def upkeep(store: Store, writer: Writer) -> StateUpkeep:
    return StateUpkeep(store, writer, lambda: NOW)


async def test_rows_that_are_due_are_dropped() -> None:
    store = Store(ROWS, 5)
    writer = Writer(store, MemoryEngine(), lambda: NOW)
    await upkeep(store, writer).drop_old_rows()
    assert [row.key for row in store[TOMBSTONES]] == ["young"]
    assert [row.key for row in store[LOCK_DELAYS]] == ["lasting"]
    index = store.index
    await upkeep(store, writer).drop_old_rows()
    assert store.index == index, "nothing is due: nothing is written"


async def test_a_failing_disk_does_not_end_the_duty(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(ROWS, 5)
    writer = Writer(store, MemoryEngine(), lambda: NOW)

    errors = [EngineError("full"), ZeroDivisionError()]

    def fail(*_: object) -> None:
        raise errors.pop()

    monkeypatch.setattr(writer, "commit_steps", fail)
    await upkeep(store, writer).drop_old_rows()
    await upkeep(store, writer).drop_old_rows()
    assert not errors
    assert [record.levelname for record in caplog.records if "tombstones failed" in record.message] == ["ERROR"]


async def test_it_starts_and_stops_any_number_of_times() -> None:
    store = Store()
    duty = upkeep(store, Writer(store, MemoryEngine()))
    await duty.stop()
    for _ in range(2):
        await duty.start()
        await duty.stop()
