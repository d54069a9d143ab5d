"""Changes of the agent's registrations: each requires its permissions before it changes anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.local_agent import NODE, World, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import WRITE, Rule
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.catalog.services import ensure_service
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_agent import LocalAgent, NotTTL

Change = Callable[[LocalAgent, Authorizer], Awaitable[None]]

POLLED = CheckDefinition(id="polled", name="polled", tcp="127.0.0.1:1", interval=SECOND_NS)
OF_WEB = CheckDefinition(id="of-web", name="c", service_id="web-1", ttl=SECOND_NS)
OF_NODE = CheckDefinition(id="of-node", name="c", ttl=SECOND_NS)


def writer(kind: str, name: str) -> Authorizer:
    """Return a caller who may write this name only."""
    return Authorizer("test", CompiledPolicies([Rule(kind, name, False, WRITE)]), default_allow=False)


WEB, DB, NODE_WRITER = writer("service", "web"), writer("service", "db"), writer("node", NODE)


def service(service_id: str, name: str, *checks: CheckDefinition) -> ServiceDefinition:
    return ServiceDefinition(service_row(service_id, name), list(checks))


async def with_registrations() -> World:
    """Return an agent with a service and checks; both are in maintenance."""
    world = World()
    await world.agent.register_service(EVERYTHING, service("web-1", "web"))
    for check in (OF_WEB, OF_NODE, POLLED):
        await world.agent.register_check(EVERYTHING, check)
    await world.agent.begin_maintenance(EVERYTHING, "web-1", "moving")
    await world.agent.begin_maintenance(EVERYTHING, "", "moving")
    return world


CHANGES: dict[str, tuple[Authorizer, Authorizer, Change]] = {
    "register a service": (WEB, DB, lambda agent, caller: agent.register_service(caller, service("web-2", "web"))),
    "take over an ID": (EVERYTHING, DB, lambda agent, caller: agent.register_service(caller, service("web-1", "db"))),
    "take over a check with a service": (
        EVERYTHING,
        DB,
        lambda agent, caller: agent.register_service(caller, service("db-1", "db", OF_NODE)),
    ),
    "deregister a service": (WEB, DB, lambda agent, caller: agent.deregister_service(caller, "web-1")),
    "deregister an unknown service": (
        NODE_WRITER,
        WEB,
        lambda agent, caller: agent.deregister_service(caller, "nothing"),
    ),
    "register a check of a service": (WEB, NODE_WRITER, lambda agent, caller: agent.register_check(caller, OF_WEB)),
    "register a check of the node": (NODE_WRITER, WEB, lambda agent, caller: agent.register_check(caller, OF_NODE)),
    "move a check": (
        EVERYTHING,
        NODE_WRITER,
        lambda agent, caller: agent.register_check(caller, CheckDefinition(id="of-web", name="c", ttl=SECOND_NS)),
    ),
    "use the ID of the node's maintenance": (
        EVERYTHING,
        WEB,
        lambda agent, caller: agent.register_check(
            caller, CheckDefinition(id=NODE_MAINTENANCE, name="c", service_id="web-1", ttl=SECOND_NS)
        ),
    ),
    "use the ID of a service's maintenance": (
        EVERYTHING,
        NODE_WRITER,
        lambda agent, caller: agent.register_check(
            caller, CheckDefinition(id=SERVICE_MAINTENANCE + "web-1", name="c", ttl=SECOND_NS)
        ),
    ),
    "deregister a check of a service": (
        WEB,
        NODE_WRITER,
        lambda agent, caller: agent.deregister_check(caller, "of-web"),
    ),
    "deregister a check of the node": (
        NODE_WRITER,
        WEB,
        lambda agent, caller: agent.deregister_check(caller, "of-node"),
    ),
    "report on a service": (WEB, NODE_WRITER, lambda agent, caller: agent.report(caller, "of-web", "passing", "")),
    "report on the node": (NODE_WRITER, WEB, lambda agent, caller: agent.report(caller, "of-node", "passing", "")),
    "begin maintenance of a service": (
        WEB,
        NODE_WRITER,
        lambda agent, caller: agent.begin_maintenance(caller, "web-1", "again"),
    ),
    "begin maintenance of the node": (
        NODE_WRITER,
        WEB,
        lambda agent, caller: agent.begin_maintenance(caller, "", "again"),
    ),
    "end maintenance of a service": (WEB, NODE_WRITER, lambda agent, caller: agent.end_maintenance(caller, "web-1")),
    "end maintenance of the node": (NODE_WRITER, WEB, lambda agent, caller: agent.end_maintenance(caller, "")),
}


@pytest.mark.parametrize(("allowed", "refused", "change"), CHANGES.values(), ids=CHANGES)
async def test_a_change_requires_its_permission(allowed: Authorizer, refused: Authorizer, change: Change) -> None:
    world = await with_registrations()
    before = dict(world.local.services), dict(world.local.checks), world.kept(), world.disk.commits
    with pytest.raises(PermissionDenied):
        await change(world.agent, refused)
    assert (world.local.services, world.local.checks, world.kept(), world.disk.commits) == before
    await change(world.agent, allowed)


async def test_end_of_maintenance_is_refused_outside_of_maintenance_too() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, service("web-1", "web"))
    for service_id, caller in (("web-1", NODE_WRITER), ("", WEB)):
        with pytest.raises(PermissionDenied):
            await world.agent.end_maintenance(caller, service_id)


async def test_a_registration_requires_permission_for_the_row_of_the_catalog_that_it_replaces() -> None:
    world = World()

    def put(txn: WriteTxn) -> None:
        ensure_node(txn, world.syncer.registration.node)
        ensure_service(txn, NODE, service_row("shared", "web"))

    world.catalog.write(put)
    with pytest.raises(PermissionDenied, match='service:write\' on "web"'):
        await world.agent.register_service(DB, service("shared", "db"))
    assert "shared" not in world.local.services


async def test_a_report_is_authorized_before_the_type_of_the_check_is_told() -> None:
    world = await with_registrations()
    with pytest.raises(PermissionDenied):
        await world.agent.report(WEB, "polled", "passing", "")
    with pytest.raises(NotTTL):
        await world.agent.report(NODE_WRITER, "polled", "passing", "")
