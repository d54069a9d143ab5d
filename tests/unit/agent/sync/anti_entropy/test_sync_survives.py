"""The catalog follows what the agent holds whatever fails on the way, or the agent says that it does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import pytest
from support.eventually import eventually_async, one_turn
from support.local_agent import NODE, World, check_row, me, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused, Unavailable
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.anti_entropy import retry_timer, short_wait
from pyconsul.agent.sync.anti_entropy import syncer as syncer_module
from pyconsul.agent.sync.anti_entropy.blocked import Permits
from pyconsul.agent.sync.anti_entropy.local_catalog import LocalCatalog
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState

Operation = Callable[[WriteTxn], Any]


class DiskThatHangs(MemoryEngine):
    """Commits only while the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        await self.gate.wait()
        return changesets[-1].index


class Agent:
    """A real store and writer, and what keeps the catalog up to date."""

    def __init__(
        self,
        commit: Callable[[Operation], Awaitable[Any]] | None = None,
        limit_s: float = 5.0,
        permits: Permits | None = None,
    ) -> None:
        self.store, self.disk = Store(), DiskThatHangs()
        self.writer = Writer(self.store, self.disk)
        self.local = LocalState(self.store.watches)
        self.syncer = Syncer(
            self.local,
            me(),
            LocalCatalog(self.store, commit or self.writer.commit),
            Random(1),
            permits=permits,
            catalog_timeout_s=limit_s,
        )

    def status_of(self, check_id: str) -> str:
        row = self.store[CHECKS].get((NODE, check_id))
        return "" if row is None else row.status

    def result(self, check_id: str, status: str) -> None:
        """A check has a result."""
        self.syncer.on_check(check_id, self.local.update_check(check_id, status, "", 0.0, False), 0.0)

    async def told(self) -> None:
        """Wait for the task that brings changes into the catalog."""
        while self.syncer._worker is not None and not self.syncer._worker.done():
            await asyncio.wait([self.syncer._worker])


def poison(service_id: str) -> ServiceRow:
    return ServiceRow(service_row(service_id, port=1 << 70))


async def test_a_row_that_cannot_be_written_holds_up_no_other() -> None:
    agent = Agent()
    agent.local.put_service(ServiceRow(service_row("a")))
    agent.local.put_service(poison("bad"))
    agent.local.put_service(ServiceRow(service_row("z")))
    agent.local.put_check(CheckRow(check_row("c", "z", "passing")), 0.0)
    assert await agent.syncer.flush() is False
    assert agent.store[NODES].get(NODE) is not None
    assert [row.service.id for row in sorted(agent.store[SERVICES].by("node", NODE), key=SERVICES.key)] == [
        "a", "consul", "z",
    ]  # fmt: skip
    assert agent.status_of("c") == "passing"
    status = agent.syncer.status()
    assert status.failures == 1
    assert "int" in status.error
    for turn in ("critical", "passing", "critical"):
        agent.result("c", turn)
        await agent.told()
        assert agent.status_of("c") == turn
    agent.local.put_service(ServiceRow(service_row("bad")))
    assert await agent.syncer.flush() is True
    assert agent.syncer.status().error == ""
    assert agent.store[SERVICES].get((NODE, "bad")) is not None
    await agent.syncer.stop()


async def test_poison_of_others_in_the_same_batch_does_not_matter() -> None:
    agent = Agent()
    agent.local.put_check(CheckRow(check_row("c", status="passing")), 0.0)
    await agent.syncer.flush()

    def bad(txn: WriteTxn) -> None:
        txn.put(NODES, me().node.__class__(*[1 << 70] * 8))

    for turn in ["critical", "passing"] * 20:
        poisons = [asyncio.ensure_future(agent.writer.commit(bad)) for _ in range(3)]
        agent.result("c", turn)
        await asyncio.gather(*poisons, return_exceptions=True)
        await agent.told()
        assert agent.status_of("c") == turn
    assert agent.syncer.status().failures == 0
    await agent.syncer.stop()


async def test_a_disk_that_hangs_is_reported_and_the_catalog_follows_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retry_timer, "MIN_BACKOFF_S", 600.0)  # no retry by itself
    monkeypatch.setattr(syncer_module, "MAX_DELAY_S", -1.0)
    agent = Agent(limit_s=0.0)
    agent.local.put_check(CheckRow(check_row("c", status="passing")), 0.0)
    agent.disk.gate.clear()
    assert await agent.syncer.flush() is False
    agent.syncer.check_tasks()
    assert "the catalog is behind this agent's checks" in caplog.text
    assert agent.syncer.status().error == "TimeoutError"
    agent.result("c", "critical")
    await agent.told()
    monkeypatch.setattr(agent.syncer._writer, "_timeout_s", 5.0)
    agent.disk.gate.set()
    agent.syncer.schedule()
    await agent.told()
    assert agent.status_of("c") == "critical"
    assert (agent.syncer.status().behind_s, agent.syncer.status().error) == (0.0, "")
    await agent.syncer.stop()


async def test_a_task_that_is_stuck_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    hanging = True

    async def commit(operation: Operation) -> None:
        if hanging:
            await asyncio.Event().wait()
        await agent.writer.commit(operation)

    agent = Agent(commit, limit_s=1e6)
    agent.local.put_check(CheckRow(check_row("c", status="passing")), 0.0)
    agent.syncer.schedule()
    await one_turn()
    await one_turn()
    agent.result("c", "critical")
    hanging = False
    agent.syncer.check_tasks()
    assert agent.syncer.status().restarts == 1, "it is too early; only the dead comparison was started"
    agent.syncer._worker_since -= 2 * syncer_module.STUCK_S
    agent.syncer.check_tasks()
    await agent.told()
    await one_turn()
    agent.syncer.check_tasks()
    await agent.told()
    assert agent.status_of("c") == "critical"
    assert "is stuck, restarting it" in caplog.text
    await agent.syncer.stop()


async def test_a_change_without_a_worker_is_found(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent()
    agent.syncer.start()
    agent.local.put_check(CheckRow(check_row("c", status="passing")), 0.0)  # and nobody pokes
    agent.syncer.check_tasks()
    await agent.told()
    assert agent.status_of("c") == "passing"
    assert agent.syncer._periodic is not None
    agent.syncer._periodic.cancel()
    await asyncio.wait([agent.syncer._periodic])
    agent.syncer.check_tasks()
    assert not agent.syncer._periodic.done()
    assert agent.syncer.status().restarts == 2
    await agent.syncer.stop()


async def test_rights_that_cannot_be_found_out_write_nothing_and_lose_nothing() -> None:
    failing = True

    def permits(*_: Any) -> Any:
        if failing:
            raise RecursionError

    agent = Agent(permits=permits)
    agent.local.put_service(ServiceRow(service_row("a"), "token"))
    assert await agent.syncer.flush() is False
    assert len(agent.store[SERVICES]) == 0
    failing = False
    assert await agent.syncer.flush() is True
    assert agent.store[SERVICES].get((NODE, "a")) is not None
    await agent.syncer.stop()


async def test_a_comparison_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent()
    await agent.syncer.full_sync()

    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(syncer_module, "diff", fail)
    assert await agent.syncer.full_sync() is False
    monkeypatch.undo()
    assert await agent.syncer.full_sync() is True
    await agent.syncer.stop()


@pytest.mark.parametrize("error", [Refused("no"), ZeroDivisionError(), RecursionError(), asyncio.InvalidStateError()])
async def test_whatever_the_commit_raises_nothing_is_lost(error: Exception) -> None:
    world = World()
    failing = True

    async def commit(operation: Operation) -> None:
        if failing:
            raise error
        world.catalog.write(operation)

    syncer = Syncer(world.local, me(), LocalCatalog(world.catalog.store, commit), Random(1))
    world.local.put_service(ServiceRow(service_row("a")))
    world.local.put_service(ServiceRow(service_row("b")))
    assert await syncer.flush() is False
    failing = False
    syncer.schedule()
    assert syncer._worker is not None
    await syncer._worker
    assert len(world.catalog.store[SERVICES]) == 3
    await syncer.stop()


async def test_a_new_server_is_tried_at_once() -> None:
    world = World()
    world.catalog.broken = True
    world.local.put_service(ServiceRow(service_row("a")))
    assert await world.syncer.flush() is False
    world.syncer.retry()
    assert world.syncer._worker is not None
    await world.syncer._worker
    assert world.syncer.status().failures == 2, "not after a backoff"
    world.catalog.broken = False
    world.syncer.retry()
    await world.syncer._worker
    assert len(world.catalog.store[SERVICES]) == 2
    world.syncer.retry()
    await world.syncer.stop()


async def test_the_first_write_of_a_node_alone_is_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.catalog.broken = True
    assert await world.syncer.flush() is False
    world.catalog.broken = False
    world.syncer.retry()
    world.syncer.retry()  # another server
    assert world.syncer._worker is None
    world.syncer.check_tasks()
    assert world.syncer._worker is None, "it is idle on purpose"
    await world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("a")))
    assert len(world.catalog.store[SERVICES]) == 2, "a registration is written at once, and the node with it"
    await world.syncer.stop()

    monkeypatch.setattr(syncer_module, "NODE_ONLY_DELAY_S", 0.0)
    world = World()
    world.catalog.broken = True
    assert await world.syncer.flush() is False
    world.catalog.broken = False
    world.syncer.retry()
    await eventually_async(lambda: world.catalog.store[NODES].get(NODE))
    await world.syncer.stop()


async def test_a_registration_does_not_wait_for_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_wait, "WAIT_S", 0.01)
    agent = Agent()
    agent.disk.gate.clear()
    agent.local.put_service(ServiceRow(service_row("a")))
    await agent.syncer.show()
    agent.local.put_service(ServiceRow(service_row("b")))
    await agent.syncer.show()
    assert not agent.store[SERVICES].get(("n1", "a"))
    agent.disk.gate.set()
    await eventually_async(lambda: len(agent.store[SERVICES]) == 3)
    await agent.syncer.stop()


async def test_an_outage_is_logged_once_and_not_while_the_agent_still_joins(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retry_timer, "MIN_BACKOFF_S", 600.0)  # no retry by itself
    is_away = True

    async def commit(operation: Operation) -> None:
        if is_away:
            raise Unavailable("No known Consul servers")
        await agent.writer.commit(operation)

    def logged() -> list[tuple[str, str]]:
        lines = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return lines

    caplog.set_level(logging.INFO, "agent.sync")
    agent = Agent(commit)
    agent.local.put_check(CheckRow(check_row("c", status="passing")), 0.0)
    for _ in range(syncer_module.QUIET_FAILURES):
        assert not await agent.syncer.flush()
    assert logged() == []
    for _ in range(3):
        assert not await agent.syncer.flush()
    assert [(level, "No known Consul servers" in text) for level, text in logged()] == [("WARNING", True)]
    is_away = False
    assert await agent.syncer.flush()
    assert logged() == [("INFO", "the catalog can be reached again, anti-entropy goes on")]
    is_away = True
    agent.local.put_check(CheckRow(check_row("d", status="passing")), 0.0)
    assert not await agent.syncer.flush()
    assert [level for level, _ in logged()] == ["WARNING"], "an outage of an agent that has joined is logged at once"
    await agent.syncer.stop()
