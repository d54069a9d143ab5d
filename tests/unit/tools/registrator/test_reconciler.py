"""The reconciler with an engine and an agent in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest
from support.containers import RULES, FakeAgent, container_id, described
from support.eventually import eventually_async

from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.pages.contract import Call
from pyconsul.tools.registrator.desired.containers import Container, read_container
from pyconsul.tools.registrator.desired.diff import Memory, Options, Plan, Register, SetMaintenance, diff
from pyconsul.tools.registrator.desired.ownership import DRAINED, STOPPING
from pyconsul.tools.registrator.desired.services import Rules
from pyconsul.tools.registrator.engine import EngineError
from pyconsul.tools.registrator.operations import Write, describe
from pyconsul.tools.registrator.pages import RegistratorPages
from pyconsul.tools.registrator.reconciler import EARLY_S, STOP_LIMIT_S, Reconciler
from pyconsul.tools.registrator.registries import Look


class FakeEngine:
    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.inspected: list[str] = []
        self.is_away = False
        self.defects = 0

    def run(self, name: str, **fields: Any) -> str:
        one = described(name, **{"ports": ["0.0.0.0:8080:80"], **fields})
        self.containers[one["Id"]] = one
        return str(one["Id"])

    async def list_ids(self, *, ended: bool = False) -> list[str]:
        if self.is_away:
            raise EngineError("gone")
        if self.defects:
            self.defects -= 1
            raise RuntimeError("a defect")
        states = {key: one["State"] for key, one in self.containers.items()}
        return [key for key, state in states.items() if ended or state["Running"] or state["Status"] == "stopping"]

    async def inspect_all(self, containers: list[str]) -> list[Container]:
        self.inspected += [self.containers[one]["Name"][1:] for one in containers]
        return [read_container(self.containers[one]) for one in containers]


class FakeRegistry:
    """`refuses`: error texts by name of a service."""

    def __init__(self) -> None:
        self.agent = FakeAgent()
        self.refuses: dict[str, ConsulError] = {}

    async def look(self, containers: Sequence[Container], rules: Rules, options: Options, memory: Memory) -> Look:
        registrations = self.agent.registrations()
        plan = diff(containers, registrations, rules, options, memory)
        stopping = frozenset(one.container for one in registrations.values() if one.maintenance == STOPPING)
        return Look(plan, plan.operations, stopping)

    async def write(self, write: Write) -> None:
        if isinstance(write, Register):
            checks = write.service.body["Checks"]
            for word, error in self.refuses.items():
                if word in str(checks) or word == write.service.name:
                    raise error
        self.agent.apply([write])  # type: ignore[list-item]

    async def beat(self, plan: Plan) -> None:
        """Nothing ends by itself."""


class World:
    def __init__(self, **options: Any) -> None:
        self.engine = FakeEngine()
        self.registry = FakeRegistry()
        self.now = 0.0
        self.reconciler = self.another(**options)

    def another(self, **options: Any) -> Reconciler:
        """Return the reconciler of another run."""
        engine: Any = self.engine
        return Reconciler(engine, self.registry, RULES, Options(**options), now=lambda: self.now)

    @property
    def services(self) -> list[str]:
        return sorted(self.registry.agent.services)

    def maintenance(self) -> list[str]:
        return [key for key in self.registry.agent.checks if key.startswith("_service_maintenance:")]


def event(action: str, actor: str, /, kind: str = "container", **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": attributes}}


@pytest.fixture
def world() -> World:
    return World()


async def test_only_containers_of_events_are_read_again(world: World) -> None:
    for name in ("web", "api"):
        world.engine.run(name)
    await world.reconciler.look()
    assert world.services == ["box:api:80", "box:web:80"]
    world.reconciler.on_event(event("health_status: healthy", container_id("web")))
    world.reconciler.on_event(event("exec_start: test", container_id("api")))
    await world.reconciler.look()
    assert world.engine.inspected == ["web", "api", "web"]
    world.reconciler.on_event(event("connect", "network-id", kind="network", container=container_id("api")))
    await world.reconciler.look()
    assert world.engine.inspected[3:] == ["api"]
    world.reconciler.look_at_all()
    await world.reconciler.look()
    assert sorted(world.engine.inspected[4:]) == ["api", "web"]


async def test_events_that_were_missed_do_not_matter(world: World) -> None:
    world.engine.run("web")
    await world.reconciler.look()
    del world.engine.containers[container_id("web")]
    world.engine.run("api")
    await world.reconciler.look()
    assert world.services == ["box:api:80"]


@pytest.mark.parametrize(
    ("signal", "maintenance"), [("15", True), ("1", False), ("9", False), ("3", False), ("", False)]
)
async def test_a_container_that_is_asked_to_end(world: World, signal: str, maintenance: bool) -> None:
    web = world.engine.run("web")
    await world.reconciler.look()
    world.reconciler.on_event(event("kill", web, signal=signal))
    await world.reconciler.look()
    assert bool(world.maintenance()) is maintenance


async def test_a_container_that_podman_is_stopping_is_in_maintenance(world: World) -> None:
    web = world.engine.run("web")
    await world.reconciler.look()
    world.engine.containers[web]["State"] |= {"Status": "stopping", "Running": False}
    world.reconciler.note_stopping(frozenset({web}))
    await world.reconciler.look()
    assert world.maintenance() == ["_service_maintenance:box:web:80"]
    inspected = len(world.engine.inspected)
    world.reconciler.note_stopping(frozenset({web}))  # known: it is not read again
    await world.reconciler.look()
    assert len(world.engine.inspected) == inspected
    world.engine.containers[web]["State"]["Status"] = "exited"
    world.reconciler.on_event(event("die", web))
    await world.reconciler.look()
    assert world.services == []


async def test_the_stop_signal_is_the_container_s(world: World) -> None:
    web = world.engine.run("web", StopSignal="SIGQUIT")
    await world.reconciler.look()
    world.reconciler.on_event(event("kill", web, signal="3"))
    await world.reconciler.look()
    assert world.maintenance() == ["_service_maintenance:box:web:80"]


async def test_a_container_that_goes_on_is_back_in_the_end(world: World) -> None:
    web = world.engine.run("web")
    await world.reconciler.look()
    world.reconciler.on_event(event("kill", web, signal="15"))
    await world.reconciler.look()
    world.now += STOP_LIMIT_S - 1
    await world.reconciler.look()
    assert world.maintenance()
    world.now += 2
    await world.reconciler.look()
    assert world.maintenance() == []


async def test_a_drained_container_is_back_with_its_next_start(world: World) -> None:
    web = world.engine.run("web")
    await world.reconciler.look()
    world.registry.agent.apply([SetMaintenance("box:web:80", DRAINED)])
    await world.reconciler.look()
    assert world.maintenance()
    for action in ("die", "start"):  # so soon that no look has come between
        world.reconciler.on_event(event(action, web))
    await world.reconciler.look()
    assert world.maintenance() == []
    world.registry.agent.apply([SetMaintenance("box:web:80", DRAINED)])
    await world.reconciler.look()
    assert world.maintenance()


async def test_a_restart_of_registrator_keeps_the_maintenance_of_a_container_that_is_ending(world: World) -> None:
    web = world.engine.run("web")
    await world.reconciler.look()
    world.reconciler.on_event(event("kill", web, signal="15"))
    await world.reconciler.look()
    later = world.another()
    await later.look()
    await later.look()
    assert world.maintenance()
    later.on_event(event("die", web))
    world.engine.containers[web]["State"]["Running"] = False
    await later.look()
    assert (world.services, world.maintenance()) == ([], [])


async def test_leftovers_of_an_earlier_run_go_after_a_moment(world: World) -> None:
    world.engine.run("web")
    world.engine.run("api")
    await world.reconciler.look()
    del world.engine.containers[container_id("web")]
    later = world.another()
    await later.look()
    assert world.services == ["box:api:80", "box:web:80"]
    world.now += EARLY_S
    await later.look()
    assert world.services == ["box:api:80"]


async def test_an_engine_that_is_away_changes_nothing(world: World) -> None:
    world.engine.run("web")
    await world.reconciler.look()
    world.engine.is_away = True
    with pytest.raises(EngineError):
        await world.reconciler.look()
    assert world.services == ["box:web:80"]
    world.engine.is_away = False
    world.engine.containers.clear()
    await world.reconciler.look()
    assert world.services == []


async def test_a_defect_does_not_end_the_program(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.engine.run("web")
    world.engine.defects = 2
    running = asyncio.create_task(world.reconciler.run())
    try:
        world.reconciler.look_at_all()
        await eventually_async(lambda: world.services == ["box:web:80"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert world.reconciler.counts.failures == 2
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["a comparison failed"]


async def test_a_refused_service_keeps_no_other_from_being_written(world: World) -> None:
    world.engine.run("bad", env=["SERVICE_NAME=bad"])
    world.engine.run("good")
    world.registry.refuses["bad"] = ConsulError("403: no", 403)
    await world.reconciler.look()
    assert world.services == ["box:good:80"]
    assert world.reconciler.problems == {"box:bad:80": "403: no"}
    world.registry.refuses.clear()
    await world.reconciler.look()
    assert world.services == ["box:bad:80", "box:good:80"]
    assert world.reconciler.problems == {}


async def test_a_refused_check_is_replaced(world: World) -> None:
    world.engine.run("web", env=["SERVICE_CHECK_TCP=1", "SERVICE_CHECK_INTERVAL=often"])
    world.registry.refuses["often"] = ConsulError("400: bad interval", 400)
    await world.reconciler.look()
    assert world.services == []
    await world.reconciler.look()
    assert world.services == ["box:web:80"]
    assert "bad interval" in world.reconciler.problem_of("box:web:80")
    written = len(world.registry.agent.written)
    await world.reconciler.look()
    assert len(world.registry.agent.written) == written


async def test_an_agent_that_is_away_is_no_refusal(world: World) -> None:
    world.engine.run("web", env=["SERVICE_CHECK_TCP=1"])
    world.registry.refuses["TCP"] = ConsulError("500: disk full", 500)
    with pytest.raises(ConsulError):
        await world.reconciler.look()
    world.registry.refuses.clear()
    await world.reconciler.look()
    assert world.registry.agent.checks["service:box:web:80"]["Status"] == "critical"
    assert world.reconciler.refusals == {}


@pytest.mark.parametrize("status", [307, 500, 503])
async def test_a_write_that_fails_keeps_no_other_from_being_made(world: World, status: int) -> None:
    for name in ("a", "bad", "c"):
        world.engine.run(name, env=[f"SERVICE_NAME={name}"])
    world.registry.refuses["bad"] = ConsulError(f"{status}: no", status)
    with contextlib.suppress(ConsulError):
        await world.reconciler.look()
    assert world.services == ["box:a:80", "box:c:80"]
    assert world.reconciler.problems == {"box:bad:80": f"{status}: no"}
    pages = RegistratorPages(world.reconciler, ())
    shown = pages.answer(Call("GET", "/explain", {"format": "text", "container": "bad"})).body.decode()
    assert "  not registered as wanted: bad at 10.0.0.1:8080, ID box:bad:80" in shown


async def test_reports_have_one_line_for_each_service(world: World) -> None:
    world.engine.run("web", env=["SERVICE_NAME=x\n  registered: y", "SERVICE_CHECK_TTL=1\n2"])
    await world.reconciler.look()
    pages = RegistratorPages(world.reconciler, ())
    shown = pages.answer(Call("GET", "/explain", {"format": "text"})).body.decode()
    assert shown.count("\n  registered:") == 1
    assert all("\n" not in describe(write) for write in world.registry.agent.written)


async def test_pages(world: World) -> None:
    world.engine.run("web", env=["SERVICE_9_NAME=x"])
    world.engine.run("side", ports=[])
    await world.reconciler.look()
    pages = RegistratorPages(world.reconciler, ())

    def text(path: str, **query: str) -> str:
        return pages.answer(Call("GET", path, query)).body.decode()

    shown = text("/explain", format="text")
    assert "web (" in shown
    assert "registered: app at 10.0.0.1:8080, ID box:web:80" in shown
    assert "warning: SERVICE_9_NAME: the container has no port 9; its ports are 80" in shown
    assert "not registered: it exposes no port (EXPOSE, --expose or -p)" in shown
    assert '"status": "ok"' in text("/health")
    assert "pyconsul_registrator_containers 2.0" in text("/metrics")
    assert 'pyconsul_registrator_writes_total{kind="register"} 1.0' in text("/metrics")
    assert pages.answer(Call("GET", "/explain", {"container": "other"})).status == 404
    assert pages.answer(Call("PUT", "/explain")).status == 405
    assert pages.answer(Call("GET", "/nothing")).status == 404
    world.reconciler.trouble = "the engine is away"
    assert '"status": "degraded"' in text("/health")
