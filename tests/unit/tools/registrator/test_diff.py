"""The difference between containers and services."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.containers import ENGINE, RULES, FakeAgent, container

from pyconsul.tools.registrator.desired.containers import Container
from pyconsul.tools.registrator.desired.diff import (
    Deregister,
    Memory,
    Options,
    Plan,
    Register,
    RemoveCheck,
    Report,
    SetMaintenance,
    diff,
)
from pyconsul.tools.registrator.desired.ownership import PAUSED, STOPPING
from pyconsul.tools.registrator.desired.services import Rules

PORT = ["0.0.0.0:8080:80"]
EXITED = {"Running": False, "Status": "exited"}


def web(name: str = "web", **fields: Any) -> Container:
    return container(name, **{"ports": PORT, **fields})


def reconcile(agent: FakeAgent, *containers: Container, **memory: Any) -> Plan:
    """Write the difference."""
    plan = diff(containers, agent.registrations(), RULES, memory=Memory(**memory))
    agent.apply(plan.operations)
    return plan


def kinds(plan: Plan) -> list[str]:
    return [type(one).__name__ for one in plan.operations]


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


def test_a_container_comes_and_goes(agent: FakeAgent) -> None:
    assert kinds(reconcile(agent, web())) == ["Register"]
    assert kinds(reconcile(agent, web())) == []
    assert kinds(reconcile(agent, web(state=EXITED))) == ["Deregister"]
    assert kinds(reconcile(agent)) == []


@pytest.mark.parametrize("change", ["Service", "Tags", "Address", "Port", "Meta"])
def test_a_service_that_was_changed_by_hand_is_set_right(agent: FakeAgent, change: str) -> None:
    reconcile(agent, web())
    row = agent.services["box:web:80"]
    row[change] = {"Service": "x", "Tags": ["x"], "Address": "x", "Port": 1, "Meta": {**(row["Meta"] or {}), "x": "y"}}[
        change
    ]
    plan = reconcile(agent, web())
    assert kinds(plan) == ["Register"]
    assert kinds(reconcile(agent, web())) == []


def test_changed_settings_of_a_check_are_written_and_others_removed(agent: FakeAgent) -> None:
    reconcile(agent, web(env=["SERVICE_CHECK_TCP=1"]))
    assert kinds(reconcile(agent, web(env=["SERVICE_CHECK_TCP=1", "SERVICE_CHECK_INTERVAL=5s"]))) == ["Register"]
    plan = reconcile(agent, web())
    assert plan.operations[-1] == RemoveCheck("service:box:web:80")
    assert agent.checks == {}


def test_a_check_that_was_deregistered_comes_back(agent: FakeAgent) -> None:
    reconcile(agent, web(env=["SERVICE_CHECK_TCP=1"]))
    agent.checks.clear()
    assert kinds(reconcile(agent, web(env=["SERVICE_CHECK_TCP=1"]))) == ["Register"]


def test_health_is_reported_when_it_changes(agent: FakeAgent) -> None:
    assert kinds(reconcile(agent, web(health="healthy", output="well"))) == ["Register", "Report"]
    assert kinds(reconcile(agent, web(health="healthy", output="well"))) == []
    (report,) = reconcile(agent, web(health="unhealthy", output="ill")).operations
    assert isinstance(report, Report)
    assert agent.checks["service:box:web:80:healthcheck"]["Output"] == "HEALTHCHECK: unhealthy\nill"


def test_the_services_of_others_stay(agent: FakeAgent) -> None:
    agent.register({"ID": "db", "Name": "db", "Port": 5432, "Address": "", "Meta": {}})
    agent.register(
        {"ID": "box:other:80", "Name": "x", "Port": 1, "Address": "", "Meta": {"registrator-engine": "OTHER"}}
    )
    before = dict(agent.services)
    reconcile(agent, web())
    reconcile(agent)
    assert agent.services == before


def test_an_explicit_id_of_another_service_is_not_taken(agent: FakeAgent) -> None:
    agent.register({"ID": "db", "Name": "db", "Port": 5432, "Address": "10.0.0.7", "Meta": {}})
    plan = reconcile(agent, web(env=["SERVICE_ID=db"]))
    assert plan.operations == ()
    (outcome,) = plan.outcomes.values()
    assert outcome.reasons == (
        "port 80/tcp: the ID 'db' is that of a service of others; deregister it, or set another SERVICE_ID",
    )


def test_what_another_registrator_has_written_is_taken_over(agent: FakeAgent) -> None:
    agent.register({"ID": "db", "Name": "app", "Port": 8080, "Address": "10.0.0.1", "Meta": {}})
    agent.register({"ID": "box:api:80", "Name": "old", "Port": 1, "Address": "", "Meta": {}})
    plan = reconcile(agent, web(env=["SERVICE_ID=db"]), web("api"))
    assert kinds(plan) == ["Register", "Register"]
    assert {one["Meta"]["registrator-engine"] for one in agent.services.values()} == {ENGINE}


def test_the_container_that_started_last_has_the_id(agent: FakeAgent) -> None:
    old = web("old", env=["SERVICE_ID=x"], state={"StartedAt": "2026-01-01T00:00:01Z"})
    new = web("new", env=["SERVICE_ID=x"], state={"StartedAt": "2026-01-01T00:00:02Z"})
    plan = reconcile(agent, new, old)
    assert agent.services["x"]["Meta"]["registrator-container"] == new.id
    assert plan.outcomes[old.id].reasons == ("port 80/tcp: the ID 'x' is that of container new, started later",)
    reconcile(agent, old)
    assert agent.services["x"]["Meta"]["registrator-container"] == old.id


def test_maintenance_while_a_container_is_stopped(agent: FakeAgent) -> None:
    one = web()
    reconcile(agent, one)
    (write,) = reconcile(agent, one, stopping=frozenset({one.id})).operations
    assert write == SetMaintenance("box:web:80", STOPPING)
    assert kinds(reconcile(agent, one, stopping=frozenset({one.id}))) == []
    assert kinds(reconcile(agent, web(state=EXITED))) == ["Deregister"]
    assert agent.checks == {}


def test_a_container_that_goes_on_is_back_in_operation(agent: FakeAgent) -> None:
    one = web()
    reconcile(agent, one, stopping=frozenset({one.id}))
    assert reconcile(agent, one).operations == (SetMaintenance("box:web:80", ""),)


def test_the_maintenance_of_others_stays(agent: FakeAgent) -> None:
    one = web()
    reconcile(agent, one)
    agent.apply([SetMaintenance("box:web:80", "by hand")])
    assert kinds(reconcile(agent, one, stopping=frozenset({one.id}))) == []
    assert kinds(reconcile(agent, one)) == []


def test_a_paused_container_is_in_maintenance(agent: FakeAgent) -> None:
    reconcile(agent, web())
    assert reconcile(agent, web(state={"Paused": True})).operations == (SetMaintenance("box:web:80", PAUSED),)
    assert reconcile(agent, web()).operations == (SetMaintenance("box:web:80", ""),)


def test_a_refused_service_is_written_as_far_as_possible(agent: FakeAgent) -> None:
    one = web(env=["SERVICE_CHECK_TCP=1", "SERVICE_CHECK_INTERVAL=often"])
    intervals, refused = [], set()
    for _ in range(4):
        plan = diff([one], {}, RULES, memory=Memory(refused={"box:web:80": frozenset(refused)}))
        (write,) = plan.operations
        assert isinstance(write, Register)
        refused.add(write.service.digest)
        (check,) = write.service.body["Checks"]
        intervals.append(check.get("Interval") or check["Status"])
    assert intervals == ["often", "10s", "critical", "critical"]


def test_services_of_an_earlier_run_stay_for_a_moment(agent: FakeAgent) -> None:
    reconcile(agent, web())
    plan = reconcile(agent, early=True)
    assert (plan.operations, plan.postponed) == ((), ("box:web:80",))
    # A container that this run has seen is another matter.
    assert kinds(reconcile(agent, early=True, seen=frozenset({web().id}))) == ["Deregister"]


@pytest.mark.parametrize(("code", "stays"), [(0, False), (3, True), (137, False), (143, False)])
def test_services_of_failed_containers_stay_on_success_only(agent: FakeAgent, code: int, stays: bool) -> None:
    reconcile(agent, web())
    agent.apply([SetMaintenance("box:web:80", STOPPING)])
    ended = web(state={**EXITED, "ExitCode": code})
    plan = diff([ended], agent.registrations(), RULES, Options(keep_failed=True))
    agent.apply(plan.operations)
    assert ("box:web:80" in agent.services) is stays
    assert agent.checks == {}
    gone = diff([], agent.registrations(), RULES, Options(keep_failed=True))
    assert kinds(gone) == (["Deregister"] if stays else [])


def test_cleanup_removes_ids_of_this_host_s_form(agent: FakeAgent) -> None:
    names = ("elsewhere:web:80", "box:byhand:80", "box:byhand:http", "box:x:80", "e", "box:web:80:udp", "box:web:81")
    for name in names:
        agent.register({"ID": name, "Name": "other", "Port": 1, "Address": "", "Meta": {}})
    agent.services["box:web:81"]["Service"] = "app"
    plan = diff([web()], agent.registrations(), RULES, Options(cleanup=True))
    removed = {one.id for one in plan.operations if isinstance(one, Deregister)}
    assert removed == {"box:byhand:80", "box:web:80:udp"}


def test_maintenance_is_written_first(agent: FakeAgent) -> None:
    reconcile(agent, web("web"), web("old"))
    stopping = frozenset({web().id})
    plan = diff([web("web"), web("new")], agent.registrations(), RULES, memory=Memory(stopping=stopping))
    assert kinds(plan) == ["SetMaintenance", "Deregister", "Register"]


def test_two_engines_on_one_agent_keep_apart(agent: FakeAgent) -> None:
    other: Rules = replace(RULES, engine="ENGINE:2")
    reconcile(agent, web("one"))
    agent.apply(diff([web("two")], agent.registrations(), other).operations)
    assert set(agent.services) == {"box:one:80", "box:two:80"}
    agent.apply(diff([], agent.registrations(), other).operations)
    assert set(agent.services) == {"box:one:80"}
