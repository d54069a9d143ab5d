"""The reconciler follows the members while this server leads, and no failure of one member holds up the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from support.scripted_pool import FAILED, LEFT, ScriptedPool, client, server

from pyconsul.agent.duties.reconcile import reconciler
from pyconsul.agent.duties.reconcile.reconciler import Reconciler
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.check import CRITICAL, PASSING, SERF_CHECK
from pyconsul.agent.model.member import MemberEvent
from pyconsul.agent.model.node import Node
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.schemas import CHECKS, NODES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


class Server:
    """A server's catalog and pool; the time is set by the test."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = Store()
        self.writer = Writer(self.store, MemoryEngine())
        self.pool = ScriptedPool(server("s1"))
        self.commits = 0
        self.refused: Callable[[WriteTxn], bool] = lambda txn: False
        self.duty = Reconciler(self.pool, self.store, self.commit, "dc1", 72 * 3600.0, lambda: self.now)

    async def commit(self, operation: Callable[[WriteTxn], Any]) -> Any:
        self.commits += 1

        def run(txn: WriteTxn) -> Any:
            result = operation(txn)
            if self.refused(txn):
                raise EngineError("no room")
            return result

        return await self.writer.commit(run)

    def statuses(self) -> dict[str, str]:
        found = {row.node: "" for row in self.store[NODES]}
        return found | {row.node: row.status for row in self.store[CHECKS] if row.check_id == SERF_CHECK}

    async def until(self, expected: dict[str, str]) -> None:
        """Wait until the catalog shows these nodes with the status of their `serfHealth`."""
        while self.statuses() != expected:
            changed = asyncio.Event()
            self.store.watches.add(changed.set, ("nodes", "checks"))
            await asyncio.wait_for(changed.wait(), 20)

    async def register(self, name: str, node_id: str) -> None:
        row = Node(node_id, name, "10.0.0.1", "dc1", None, None, 0, 0)
        await self.writer.commit(lambda txn: ensure_node(txn, row))


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    for delay in ("MIN_INTERVAL_S", "CATALOG_DELAY_S", "RETRY_S"):
        monkeypatch.setattr(reconciler, delay, 0.001)
    one = Server()
    await one.duty.start()
    yield one
    await one.duty.stop()


async def test_members_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as one:
        one.pool.put(client("c1"), MemberEvent.JOIN)
        one.pool.put(client("c2"), MemberEvent.JOIN)
        await one.until({"c1": PASSING, "c2": PASSING})
        one.pool.put(client("c1", status=FAILED), MemberEvent.FAILED)
        await one.until({"c1": CRITICAL, "c2": PASSING})
        one.pool.put(client("c1"), MemberEvent.JOIN)
        one.pool.put(client("c2", status=LEFT), MemberEvent.LEAVE)
        await one.until({"c1": PASSING})
        one.pool.put(client("c1", status=FAILED), MemberEvent.FAILED)
        await one.until({"c1": CRITICAL})
        one.pool.erase("c1")
        await one.until({})


def test_members_are_followed_on_the_loop_of_the_agent() -> None:
    async def follow() -> None:
        with pytest.MonkeyPatch.context() as patch:
            async with running(patch) as one:
                one.pool.put(client("c1"), MemberEvent.JOIN)
                one.pool.put(client("c2"), MemberEvent.JOIN)  # while the work for the first one is due at once
                await one.until({"c1": PASSING, "c2": PASSING})

    uvloop.run(follow())


async def test_members_that_were_there_before_are_registered_at_the_start() -> None:
    one = Server()
    one.pool.known["c1"] = client("c1")
    await one.duty.start()
    assert one.statuses() == {"c1": PASSING}
    await one.duty.stop()


async def test_very_many_members_are_registered_in_batches() -> None:
    one = Server()
    names = [f"c{number}" for number in range(reconciler.MAX_BATCH + 1)]
    one.pool.known |= {name: client(name) for name in names}
    await one.duty.start()
    assert one.statuses() == dict.fromkeys(names, PASSING)
    assert one.commits == 2
    await one.duty.stop()


async def test_a_server_that_does_not_lead_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as one:
        await one.duty.stop()
        one.pool.put(client("c1"), MemberEvent.JOIN)
        assert one.statuses() == {}
        await one.duty.start()
        assert one.statuses() == {"c1": PASSING}


@pytest.mark.parametrize("is_erased", [False, True])
async def test_a_registration_after_the_member_is_gone_does_not_stay(
    monkeypatch: pytest.MonkeyPatch, is_erased: bool
) -> None:
    async with running(monkeypatch) as one:
        one.pool.put(client("c1"), MemberEvent.JOIN)
        await one.until({"c1": PASSING})
        one.pool.put(client("c1", status=LEFT), MemberEvent.LEAVE)
        if is_erased:
            one.pool.erase("c1")
        await one.until({})
        await one.register("c1", "id-c1")
        await one.until({})
        await one.register("by-hand", "other")
        await one.until({"by-hand": ""})


async def test_one_member_that_cannot_be_written_does_not_hold_up_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(monkeypatch) as one:
        one.refused = lambda txn: txn[NODES].get("bad") is not None
        for name in ("a", "bad", "c"):
            one.pool.put(client(name), MemberEvent.JOIN)
        await one.until({"a": PASSING, "c": PASSING})
        assert "cannot reconcile a member" in caplog.text
        one.refused = lambda txn: False
        await one.until({"a": PASSING, "bad": PASSING, "c": PASSING})


async def test_a_conflict_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async with running(monkeypatch) as one:
        one.pool.put(client("c1", "X"), MemberEvent.JOIN)
        await one.until({"c1": PASSING})
        one.pool.put(client("copy", "X"), MemberEvent.JOIN)
        for _ in range(3):
            await one.duty.reconcile()
        assert one.statuses() == {"c1": PASSING}
        text = "member is not registered in the catalog: node='copy': its node ID x belongs to the living member c1"
        assert caplog.text.count(text) == 1


async def test_nodes_of_unknown_agents_fail_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as one:
        one.pool.known["c1"] = client("c1")
        await one.duty.reconcile()
        del one.pool.known["c1"]  # as after a restart of this server
        await one.duty.reconcile()
        assert one.statuses() == {"c1": PASSING}
        one.now = 61.0
        await one.duty.reconcile()
        assert one.statuses() == {"c1": CRITICAL}
        one.now = 72 * 3600.0
        await one.duty.reconcile()
        assert one.statuses() == {}


async def test_a_newcomer_takes_the_name_of_a_failed_member(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(monkeypatch) as one:
        one.pool.put(client("c1", "OLD"), MemberEvent.JOIN)
        await one.until({"c1": PASSING})
        one.pool.put(client("c1", "NEW"), MemberEvent.JOIN)
        await one.duty.reconcile()
        assert [row.id for row in one.store[NODES]] == ["NEW"]
        assert "member takes the name of another agent: node=c1 id=NEW was=OLD" in caplog.text
        await one.register("ghost", "OLD")
        await one.until({"c1": PASSING})
