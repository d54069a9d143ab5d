"""What the API, files and results of checks do to the agent's services and checks."""

from __future__ import annotations

import pytest
from support.local_agent import NODE, World, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.state.schemas import CHECKS, SERVICES
from pyconsul.agent.sync import definition_loader
from pyconsul.agent.sync.alias_views import AliasViews
from pyconsul.agent.sync.checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_rows import CHECKS as KEPT_CHECKS
from pyconsul.agent.sync.local_rows import SERVICES as KEPT_SERVICES
from pyconsul.agent.sync.local_rows import CheckRow
from pyconsul.agent.sync.reap import overdue

TTL = CheckDefinition(ttl=10 * SECOND_NS)


def web(*checks: CheckDefinition, name: str = "web", token: str = "") -> ServiceDefinition:
    return ServiceDefinition(service_row("web-1", name, port=80), list(checks), token)


async def test_a_registration_is_in_the_catalog_when_it_returns() -> None:
    world = World()
    await world.agent.register_service(
        EVERYTHING, web(TTL, CheckDefinition(id="mine", name="own", ttl=SECOND_NS, status="passing"))
    )
    shown = {check.check_id: check for check in world.catalog.store[CHECKS].by("instance", (NODE, "web-1"))}
    assert {one: (check.name, check.status, check.type) for one, check in shown.items()} == {
        "service:web-1:1": ("Service 'web' check", "critical", "ttl"),
        "mine": ("own", "passing", "ttl"),
    }
    assert world.catalog.store[SERVICES].get((NODE, "web-1")) is not None
    assert world.scheduler.checks["mine"].service_id == "web-1"


async def test_a_registration_reaches_the_catalog_once_it_works_again() -> None:
    world = World()
    world.catalog.broken = True
    await world.agent.register_service(EVERYTHING, web(TTL))
    assert "web-1" in world.local.services
    world.catalog.broken = False
    assert await world.syncer.flush()
    assert world.catalog.store[SERVICES].get((NODE, "web-1")) is not None
    await world.syncer.stop()


async def test_a_registration_that_cannot_be_kept_changes_nothing() -> None:
    world = World()
    world.disk.broken = True
    with pytest.raises(OSError, match="full"):
        await world.agent.register_service(EVERYTHING, web(TTL))
    assert not world.local.services
    assert not world.scheduler.checks


async def test_a_check_that_is_registered_again_keeps_its_state() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    await world.agent.report(EVERYTHING, "service:web-1", "passing", "fine")
    await world.agent.register_service(EVERYTHING, web(TTL, name="web"))
    check = world.local.checks["service:web-1"].check
    assert (check.status, check.output) == ("passing", "fine")


@pytest.mark.parametrize(("replace", "left"), [(False, {"service:web-1", "new"}), (True, {"new"})])
async def test_old_checks_stay_unless_they_are_replaced(replace: bool, left: set[str]) -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    await world.agent.register_service(
        EVERYTHING, web(CheckDefinition(id="new", ttl=SECOND_NS)), replace_checks=replace
    )
    assert set(world.local.checks) == set(world.scheduler.checks) == left
    assert {row.check.check_id for row in world.disk.store[KEPT_CHECKS]} == left


async def test_a_service_goes_with_its_checks() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    await world.agent.register_check(
        EVERYTHING, CheckDefinition(id="more", name="more", service_id="web-1", ttl=SECOND_NS)
    )
    await world.agent.deregister_service(EVERYTHING, "web-1")
    assert not world.local.services
    assert not world.local.checks
    assert not world.scheduler.checks
    assert not world.kept()
    assert {check.check_id for check in world.catalog.store[CHECKS]} == {"serfHealth"}


async def test_maintenance_keeps_the_first_reason() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web())
    await world.agent.begin_maintenance(EVERYTHING, "web-1", "first")
    await world.agent.begin_maintenance(EVERYTHING, "web-1", "second")
    await world.agent.begin_maintenance(EVERYTHING, "", "")
    held = world.local.checks
    assert held[SERVICE_MAINTENANCE + "web-1"].check.notes == "first"
    assert "no reason was provided" in held[NODE_MAINTENANCE].check.notes
    assert not world.scheduler.checks


async def test_an_output_alone_waits_and_a_status_does_not() -> None:
    world = World(output_delay_s=3600.0)
    await world.agent.register_check(EVERYTHING, CheckDefinition(id="c", name="c", ttl=SECOND_NS))
    await world.agent.report(EVERYTHING, "c", "passing", "one")
    await world.agent.report(EVERYTHING, "c", "passing", "two")
    shown = world.catalog.store[CHECKS].get((NODE, "c"))
    assert shown is not None
    assert (shown.status, shown.output) == ("passing", "one")
    assert world.local.checks["c"].check.output == "two"
    assert await world.syncer.full_sync(), "a comparison leaves a late output alone"
    shown = world.catalog.store[CHECKS].get((NODE, "c"))
    assert shown is not None
    assert shown.output == "one"
    await world.agent.report(EVERYTHING, "c", "warning", "three")
    shown = world.catalog.store[CHECKS].get((NODE, "c"))
    assert shown is not None
    assert (shown.status, shown.output) == ("warning", "three")
    await world.syncer.stop()


async def test_outputs_can_be_discarded() -> None:
    world = World()
    world.results.reconfigure(discard_output=True)
    await world.agent.register_check(EVERYTHING, CheckDefinition(id="c", name="c", ttl=SECOND_NS))
    await world.agent.report(EVERYTHING, "c", "passing", "secret")
    assert world.local.checks["c"].check.output == ""


async def started_again(
    world: World, defined: definition_loader.Definitions | None = None, remote_scripts: bool = False
) -> World:
    """Return the same disk, a new process."""
    await world.store.stop()
    fresh = World()
    fresh.disk = world.disk
    fresh.store._commit = world.disk.commit
    fresh.now = world.now
    await definition_loader.load(
        fresh.agent,
        defined or definition_loader.Definitions([], []),
        world.kept(),
        fresh.now,
        remote_scripts=remote_scripts,
    )
    return fresh


async def test_registrations_survive_a_restart() -> None:
    world = World()
    polled = CheckDefinition(id="http", http="http://127.0.0.1/", interval=SECOND_NS, status="passing")
    await world.agent.register_service(EVERYTHING, web(TTL, polled, token="t"))
    await world.agent.report(EVERYTHING, "service:web-1:1", "passing", "fine")
    await world.agent.begin_maintenance(EVERYTHING, "web-1", "moving")
    fresh = await started_again(world)
    assert fresh.local.services == world.local.services
    assert set(fresh.local.checks) == set(world.local.checks)
    states = {one: (row.check.status, row.check.output) for one, row in fresh.local.checks.items()}
    assert states["service:web-1:1"] == ("passing", "fine"), "a report that has not expired counts"
    assert states["http"] == ("critical", ""), "until it has run"
    assert fresh.local.checks[SERVICE_MAINTENANCE + "web-1"].check.notes == "moving"
    assert set(fresh.scheduler.checks) == {"service:web-1:1", "http"}


@pytest.mark.parametrize("remote_scripts", [True, False])
async def test_kept_scripts_run_only_while_the_api_may_register_them(
    remote_scripts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    script = CheckDefinition(id="script", name="s", script_args=["true"], interval=SECOND_NS)
    docker = CheckDefinition(id="docker", script_args=["true"], docker_container_id="c", interval=SECOND_NS)
    await world.agent.register_service(EVERYTHING, web(TTL, docker))
    await world.agent.register_check(EVERYTHING, script)
    fresh = await started_again(world, remote_scripts=remote_scripts)
    scripts = {"script", "docker"}
    assert set(fresh.scheduler.checks) & scripts == (scripts if remote_scripts else set())
    assert set(fresh.local.checks) >= {"service:web-1:1"}
    kept = {row.check.check_id for _, row in world.kept() if isinstance(row, CheckRow)}
    assert kept & scripts == (scripts if remote_scripts else set())
    warnings = [record.getMessage() for record in caplog.records if "Scripts are disabled" in record.getMessage()]
    assert len(warnings) == (0 if remote_scripts else 2)


async def test_a_report_that_has_expired_does_not_count() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    await world.agent.report(EVERYTHING, "service:web-1", "passing", "fine")
    world.now += 11
    fresh = await started_again(world)
    assert fresh.local.checks["service:web-1"].check.status == "critical"


async def test_files_take_precedence_over_stored_registrations() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    defined = definition_loader.Definitions([ServiceDefinition(service_row("web-1", "web", port=81))], [])
    fresh = await started_again(world, defined)
    assert fresh.local.services["web-1"].service.port == 81
    assert fresh.local.services["web-1"].from_file
    assert not list(fresh.disk.store[KEPT_SERVICES])


@pytest.mark.parametrize(("durable", "left"), [(True, {"web-1", "file-2"}), (False, {"file-2"})])
async def test_a_reload_drops_services_that_files_no_longer_define(durable: bool, left: set[str]) -> None:
    world = World(durable)
    await world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("file-1"), [TTL]), from_file=True)
    await world.agent.register_check(EVERYTHING, CheckDefinition(id="node", name="node", ttl=SECOND_NS), from_file=True)
    await world.agent.register_service(EVERYTHING, web(TTL))
    await definition_loader.reload(
        world.agent, definition_loader.Definitions([ServiceDefinition(service_row("file-2"))], [])
    )
    assert set(world.local.services) == left
    assert set(world.local.checks) == ({"service:web-1"} if durable else set())


@pytest.mark.parametrize("durable", [True, False])
async def test_a_reload_keeps_what_the_agent_itself_provides(durable: bool) -> None:
    world = World(durable)
    await world.agent.show_own_service("own", "state", "passing", "fine")
    await definition_loader.reload(world.agent, definition_loader.Definitions([], []))
    assert set(world.local.services) == {"own"}
    assert world.local.checks["service:own"].check.output == "fine"
    await world.agent.hide_own_service("own")
    assert (set(world.local.services), world.agent.own_services) == (set(), set())


async def test_a_reload_keeps_states_and_registrations_over_the_api() -> None:
    world = World()
    defined = definition_loader.Definitions(
        [ServiceDefinition(service_row("f"), [CheckDefinition(id="c", ttl=SECOND_NS)])], []
    )
    await definition_loader.define(world.agent, defined)
    await world.agent.report(EVERYTHING, "c", "passing", "fine")
    await world.agent.begin_maintenance(EVERYTHING, "f", "moving")
    await definition_loader.reload(world.agent, defined)
    assert world.local.checks["c"].check.status == "passing"
    assert SERVICE_MAINTENANCE + "f" in world.local.checks


async def test_services_that_are_critical_for_too_long_are_overdue() -> None:
    world = World()
    brief = CheckDefinition(id="brief", ttl=SECOND_NS, deregister_critical_service_after=SECOND_NS)
    late = CheckDefinition(id="late", ttl=SECOND_NS, deregister_critical_service_after=120 * SECOND_NS)
    await world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("a"), [brief]))
    await world.agent.register_service(EVERYTHING, ServiceDefinition(service_row("b"), [late]))
    await world.agent.register_check(EVERYTHING, CheckDefinition(id="node", name="node", ttl=SECOND_NS))
    assert overdue(world.local, world.now + 59) == {}
    assert overdue(world.local, world.now + 60) == {"a": "brief"}
    assert overdue(world.local, world.now + 120) == {"a": "brief", "b": "late"}
    await world.agent.report(EVERYTHING, "brief", "passing", "")
    assert overdue(world.local, world.now + 120) == {"b": "late"}
    await world.syncer.stop()


async def test_alias_view_of_this_node_and_of_others() -> None:
    world = World()
    await world.agent.register_service(EVERYTHING, web(TTL))
    views = AliasViews(world.local, world.shown)
    checks, exists = views.local("web-1", "")
    assert ([check.check_id for check in checks], exists) == (["service:web-1"], True)
    checks, exists = await views.remote("N1", "nosuch", "")
    assert ({check.check_id for check in checks}, exists) == ({"serfHealth", "service:web-1"}, False)


async def test_a_failed_write_is_tried_again_by_itself() -> None:
    world = World()
    await world.syncer.full_sync()
    world.catalog.broken = True
    await world.agent.register_service(EVERYTHING, web())
    world.catalog.broken = False
    world.syncer.schedule()
    assert world.syncer._worker is not None
    await world.syncer._worker
    assert world.catalog.store[SERVICES].get((NODE, "web-1")) is not None
    await world.syncer.stop()


async def test_a_service_of_the_agent_itself_has_a_check_and_is_not_stored() -> None:
    world = World()
    await world.agent.show_own_service("consul-snapshot", "snapshot schedule", "passing", "saved one")
    await world.agent.show_own_service("consul-snapshot", "snapshot schedule", "critical", "the disk is full")
    check = world.catalog.store[CHECKS].get((NODE, "service:consul-snapshot"))
    assert check is not None
    assert (check.name, check.status, check.output) == ("snapshot schedule", "critical", "the disk is full")
    assert check.service_name == "consul-snapshot", "the other services of the node are not concerned"
    assert world.kept() == []
    await world.agent.hide_own_service("consul-snapshot")
    await world.agent.hide_own_service("consul-snapshot")
    assert world.catalog.store[CHECKS].get((NODE, "service:consul-snapshot")) is None
    await world.agent.deregister_service(EVERYTHING, "consul-snapshot")
