"""Writes into the catalog keep their order, and a registration waits for those that run when it arrives."""

from __future__ import annotations

import asyncio

from support.eventually import one_turn
from support.local_agent import NODE, World, check_row, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.state.schemas import CHECKS
from pyconsul.agent.sync.anti_entropy.contract import NodeRows
from pyconsul.agent.sync.anti_entropy.local_catalog import LocalCatalog
from pyconsul.agent.sync.anti_entropy.shared_write import SharedWrite
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_rows import CheckRow
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

TTL = CheckDefinition(ttl=10**12)


class SlowCatalog:
    """A catalog whose writes wait until the test lets them go on, in the order that the test chooses."""

    def __init__(self, catalog: LocalCatalog) -> None:
        self._catalog = catalog
        self.waiting: list[asyncio.Event] = []

    async def node_rows(self, name: str) -> NodeRows:
        return await self._catalog.node_rows(name)

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        gate = asyncio.Event()
        self.waiting.append(gate)
        await gate.wait()
        await self._catalog.apply(registration, pending)

    async def let_go(self, position: int) -> None:
        self.waiting.pop(position).set()
        await turns()


async def turns() -> None:
    for _ in range(8):
        await one_turn()


async def slow_world() -> tuple[World, SlowCatalog]:
    """Return the local half of an agent with a TTL check that the catalog shows, and the catalog."""
    world = World()
    await world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("web"), [TTL]))
    catalog = SlowCatalog(world.shown)
    world.syncer._writer._catalog = catalog
    return world, catalog


def status(world: World) -> str:
    row = world.catalog.store[CHECKS].get((NODE, "service:web"))
    return row.status if row is not None else ""


async def test_a_report_is_answered_when_the_catalog_has_it() -> None:
    world, catalog = await slow_world()
    report = asyncio.create_task(world.agent.report(EVERYTHING, "service:web", "passing", ""))
    await turns()
    assert not report.done()
    assert len(catalog.waiting) == 1
    await catalog.let_go(0)
    assert report.done()
    assert status(world) == "passing"
    await world.syncer.stop()


async def test_an_earlier_result_never_replaces_a_later_one() -> None:
    world, catalog = await slow_world()
    first = asyncio.create_task(world.agent.report(EVERYTHING, "service:web", "warning", ""))
    await turns()
    second = asyncio.create_task(world.agent.report(EVERYTHING, "service:web", "passing", ""))
    await turns()
    while catalog.waiting:
        await catalog.let_go(-1)
    assert status(world) == "passing"
    await asyncio.gather(first, second)
    await world.syncer.stop()


async def test_registrations_that_arrive_during_a_write_share_the_next_one() -> None:
    world, catalog = await slow_world()
    tasks = [
        asyncio.create_task(world.agent.register_service(EVERYTHING, ServiceDefinition(service_row(f"s{number}"))))
        for number in range(3)
    ]
    await turns()
    late = asyncio.create_task(world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("late"))))
    await turns()
    assert len(catalog.waiting) == 1
    await catalog.let_go(0)
    assert [task.done() for task in (*tasks, late)] == [True, True, True, False]
    await catalog.let_go(0)
    assert late.done()
    assert not catalog.waiting
    await world.syncer.stop()


async def test_a_caller_that_goes_away_does_not_stop_the_write_of_others() -> None:
    world, catalog = await slow_world()
    world.local.put_check(CheckRow(check_row("of the node")), 0.0)
    gone = asyncio.create_task(world.syncer.flush())
    stays = asyncio.create_task(world.syncer.flush())
    await turns()
    gone.cancel()
    await catalog.let_go(0)
    assert stays.result()
    await world.syncer.stop()


async def test_a_cancelled_write_is_followed_by_another_one() -> None:
    starts = 0
    gate = asyncio.Event()

    async def write() -> bool:
        nonlocal starts
        starts += 1
        await gate.wait()
        return True

    writes = SharedWrite(write)
    running = writes.begin()
    await turns()
    following = writes.begin()
    assert following is not running
    assert writes.begin() is following
    assert writes.cancel() == [running, following]
    after = writes.begin()
    await turns()
    assert (running.cancelled(), following.cancelled(), starts) == (True, True, 2)
    gate.set()
    assert await after
