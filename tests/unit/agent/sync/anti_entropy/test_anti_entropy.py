"""Whatever happens to either side, and however often writing fails: one comparison makes the catalog show what the agent holds."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.local_agent import NODE, World, check_row, me, service_row

from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.watches import Watches, on_replaced
from pyconsul.agent.sync.anti_entropy.contract import Catalog, NodeRows
from pyconsul.agent.sync.anti_entropy.diff import diff, interval_factor, mark, same_check, same_service
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState, Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

IDS = st.sampled_from(["a", "b", "c"])
CHECK_IDS = st.sampled_from(["x", "y", "z"])
STATUSES = st.sampled_from(["passing", "warning", "critical"])
STEPS = st.one_of(
    st.tuples(st.just("hold service"), IDS, st.sampled_from(["web", "db"]), st.integers(1, 2)),
    st.tuples(st.just("drop service"), IDS),
    st.tuples(st.just("hold check"), CHECK_IDS, st.sampled_from(["", "a", "b"]), STATUSES),
    st.tuples(st.just("result"), CHECK_IDS, STATUSES, st.sampled_from(["", "why"])),
    st.tuples(st.just("drop check"), CHECK_IDS),
    st.tuples(st.just("break"), st.booleans()),
    st.tuples(st.just("flush")),
    st.tuples(st.just("stray service"), IDS, st.sampled_from(["web", "other"])),
    st.tuples(st.just("stray check"), CHECK_IDS, st.sampled_from(["", "a"])),
    st.tuples(st.just("remove service"), IDS),
    st.tuples(st.just("remove node")),
)


class SlowCatalog:
    """A catalog whose second and later reads wait for `answer`."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.reads = 0

    async def node_rows(self, name: str) -> NodeRows:
        rows = await self.catalog.node_rows(name)
        self.reads += 1
        if self.reads > 1:
            self.asked.set()
            await self.answer.wait()
        return rows

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        await self.catalog.apply(registration, pending)


async def take_step(world: World, kind: str, arguments: list[Any]) -> None:
    local, catalog = world.local, world.catalog
    first = arguments[0] if arguments else None
    if kind == "hold service":
        local.put_service(ServiceRow(service_row(first, arguments[1], port=arguments[2])))
    elif kind == "drop service" and first in local.services:
        local.remove_service(first)
    elif kind == "hold check" and (not arguments[1] or arguments[1] in local.services):
        local.put_check(CheckRow(check_row(first, arguments[1], arguments[2])), 0.0)
    elif kind == "result":
        local.update_check(first, arguments[1], arguments[2], 0.0, delay_output=True)
    elif kind == "drop check" and first in local.checks:
        local.remove_check(first)
    elif kind == "break":
        catalog.broken = first
    elif kind == "flush":
        await world.syncer.flush()
    elif kind.startswith(("stray", "remove")):
        catalog.write(lambda txn: scribble(txn, kind, arguments))


def scribble(txn: Any, kind: str, arguments: list[Any]) -> None:
    """What others do to this node's rows."""
    if txn[NODES].get(NODE) is None:
        return
    if kind == "stray service":
        services.ensure_service(txn, NODE, service_row(arguments[0], arguments[1], port=9))
    elif kind == "stray check" and (not arguments[1] or txn[SERVICES].get((NODE, arguments[1]))):
        checks.ensure_check(txn, check_row(arguments[0], arguments[1], "passing", "stray"))
    elif kind == "remove service":
        services.delete_service(txn, NODE, arguments[0])
    elif kind == "remove node":
        nodes.delete_node(txn, NODE)


def assert_in_line(world: World) -> None:
    view, own = world.catalog.store, world.syncer.registration
    assert own.service is not None
    held = {service_id: row.service for service_id, row in world.local.services.items()} | {"consul": own.service}
    shown = {row.service.id: row.service for row in view[SERVICES].by("node", NODE)}
    assert shown.keys() == held.keys()
    assert all(same_service(held[one], shown[one]) for one in held)
    held_checks = {check_id: row.check for check_id, row in world.local.checks.items()} | {"serfHealth": own.check}
    shown_checks = {check.check_id: check for check in view[CHECKS].by("node", NODE)}
    assert shown_checks.keys() == held_checks.keys()
    for check_id, check in held_checks.items():
        assert same_check(check, shown_checks[check_id], ignore_output=check_id in world.local.late)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_one_comparison_puts_everything_right(steps: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        world = World()
        for kind, *arguments in steps:
            await take_step(world, kind, arguments)
        world.catalog.broken = False
        assert await world.syncer.full_sync()
        assert_in_line(world)
        commits = world.catalog.commits
        assert await world.syncer.full_sync()
        assert world.catalog.commits == commits, "nothing differs any more"
        await world.syncer.stop()

    asyncio.run(play())


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS.filter(lambda step: step[0].split()[0] not in ("stray", "remove")), max_size=30))
def test_changes_alone_reach_the_catalog_without_a_comparison(steps: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        world = World()
        for kind, *arguments in steps:
            await take_step(world, kind, arguments)
        world.catalog.broken = False
        assert await world.syncer.flush()
        assert_in_line(world)
        await world.syncer.stop()

    asyncio.run(play())


async def test_a_change_of_another_kind_leaves_strangers_alone() -> None:
    world = World()
    await world.syncer.full_sync()
    world.catalog.write(lambda txn: services.ensure_service(txn, NODE, service_row("stray")))
    await take_step(world, "hold service", ["a", "web", 1])
    await world.syncer.flush()
    assert world.catalog.store[SERVICES].get((NODE, "stray")) is not None
    await world.syncer.full_sync()
    assert world.catalog.store[SERVICES].get((NODE, "stray")) is None


async def test_others_may_change_tags_where_that_is_allowed() -> None:
    world = World()
    for service_id, override in (("a", True), ("b", False)):
        world.local.put_service(ServiceRow(service_row(service_id, tags=["mine"], enable_tag_override=override)))
    await world.syncer.full_sync()
    for service_id, override in (("a", True), ("b", False)):
        theirs = service_row(service_id, tags=["theirs"], enable_tag_override=override)
        world.catalog.write(lambda txn, row=theirs: services.ensure_service(txn, NODE, row))
    await world.syncer.full_sync()
    assert {one: world.local.services[one].service.tags for one in "ab"} == {"a": ["theirs"], "b": ["mine"]}
    shown = {row.service.id: row.service.tags for row in world.catalog.store[SERVICES].by("node", NODE)}
    assert (shown["a"], shown["b"]) == (["theirs"], ["mine"])


async def test_the_node_is_put_right_by_a_comparison_only() -> None:
    world = World()
    await world.syncer.full_sync()
    theirs = me(address="10.9.9.9").node
    world.catalog.write(lambda txn: nodes.ensure_node(txn, theirs))
    await take_step(world, "hold service", ["a", "web", 1])
    await world.syncer.flush()
    node = world.catalog.store[NODES].get(NODE)
    assert node is not None
    assert node.address == "10.9.9.9"
    await world.syncer.full_sync()
    node = world.catalog.store[NODES].get(NODE)
    assert node is not None
    assert node.address == "10.0.0.1"


async def test_a_catalog_that_was_replaced_is_put_right_at_once() -> None:
    world = World()
    await world.syncer.full_sync()
    world.local.put_service(ServiceRow(service_row("a")))
    await world.syncer.flush()
    on_replaced(world.catalog.store.watches, world.syncer.schedule_full_sync)
    world.catalog.store.replace([], 500)
    assert world.syncer._worker is not None
    await world.syncer._worker
    assert_in_line(world)
    world.catalog.store.replace([], 600)
    assert world.syncer._worker is not None
    await world.syncer._worker
    assert_in_line(world)
    await world.syncer.stop()


def test_a_node_that_the_catalog_lacks_is_marked() -> None:
    local = LocalState(Watches())
    local.take()
    mark(local, diff(local, me(), NodeRows()))
    assert local.take() == Pending(node=True)


async def test_the_same_contract_serves_a_catalog_that_answers_later() -> None:
    """A change made while the catalog is being read is neither lost nor undone."""
    world = World()
    catalog = SlowCatalog(world.shown)
    syncer = Syncer(world.local, me(), catalog, Random(1))
    await syncer.full_sync()
    reading = asyncio.create_task(syncer.full_sync())
    await catalog.asked.wait()
    world.local.put_service(ServiceRow(service_row("a")))
    await syncer.flush()
    catalog.answer.set()
    assert await reading
    assert world.catalog.store[SERVICES].get((NODE, "a")) is not None
    await syncer.stop()


async def test_a_full_sync_that_is_canceled_is_made_again() -> None:
    world = World()
    catalog = SlowCatalog(world.shown)
    syncer = Syncer(world.local, me(), catalog, Random(1))
    await syncer.full_sync()
    syncer.schedule_full_sync()
    assert syncer._worker is not None
    await catalog.asked.wait()
    syncer._worker.cancel()
    await asyncio.wait([syncer._worker])
    world.catalog.write(lambda txn: nodes.delete_node(txn, NODE))
    catalog.answer.set()
    syncer.check_tasks()
    await asyncio.wait([syncer._worker])
    assert world.catalog.store[NODES].get(NODE) is not None
    await syncer.stop()


def test_big_clusters_compare_less_often() -> None:
    assert [interval_factor(nodes) for nodes in (1, 128, 129, 256, 257, 512, 1024)] == [1, 1, 2, 2, 3, 3, 4]
