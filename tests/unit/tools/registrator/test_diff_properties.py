"""Properties of the difference: it makes a fixpoint, touches nothing of others, and writes nothing without a change."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.containers import ENGINE, RULES, FakeAgent, container

from pyconsul.tools.registrator.desired.containers import Container
from pyconsul.tools.registrator.desired.diff import Deregister, Memory, Register, RemoveCheck, SetMaintenance, diff
from pyconsul.tools.registrator.operations import subject

NAMES = ("web", "api", "db", "cache")
STATES = (
    {},
    {"Paused": True},
    {"Running": False, "Status": "exited"},
    {"Running": False, "ExitCode": 3},
    {"Restarting": True},
)
VARIABLES = (
    "SERVICE_NAME=shop",
    "SERVICE_ID=one",
    "SERVICE_80_NAME=front",
    "SERVICE_TAGS=a,b",
    "SERVICE_IGNORE=1",
    "SERVICE_443_IGNORE=1",
    "SERVICE_CHECK_TCP=1",
    "SERVICE_CHECK_HTTP=/",
    "SERVICE_CHECK_INTERVAL=often",
    "SERVICE_bad.key=x",
    "SERVICE_ZONE=a",
)


@st.composite
def containers(draw: Any) -> list[Container]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return [
        container(
            name,
            ports=[f"0.0.0.0:{8000 + inside}:{inside}" for inside in draw(st.sets(st.sampled_from((80, 443, 53))))],
            env=draw(st.lists(st.sampled_from(VARIABLES), unique=True)),
            state={**draw(st.sampled_from(STATES)), "StartedAt": draw(st.sampled_from(("1", "2", "3")))},
            health=draw(st.sampled_from(("", "healthy", "unhealthy", "starting"))),
        )
        for name in names
    ]


@st.composite
def agents(draw: Any) -> FakeAgent:
    """An agent with services of others, and with some that earlier containers have left."""
    agent = FakeAgent()
    agent.apply(diff(draw(containers()), {}, RULES).operations)
    for number in draw(st.sets(st.integers(0, 5))):
        meta = draw(st.sampled_from(({}, {"registrator-engine": "OTHER"}, {"owner": "me"})))
        agent.register({"ID": f"foreign-{number}", "Name": "x", "Port": 1, "Address": "", "Meta": meta})
    if draw(st.booleans()):
        agent.register({"ID": "one", "Name": "taken", "Port": 1, "Address": "", "Meta": {}})
    for service in draw(st.lists(st.sampled_from(sorted(agent.services) or [""]), unique=True)):
        if service:
            agent.apply(
                [
                    SetMaintenance(
                        service, draw(st.sampled_from(("by hand", "pyconsul registrator: the container is paused")))
                    )
                ]
            )
    agent.written.clear()
    return agent


@given(agents(), containers(), st.sets(st.sampled_from(NAMES)))
@settings(max_examples=150)
def test_the_writes_make_a_fixpoint(agent: FakeAgent, there: list[Container], stopping: set[str]) -> None:
    memory = Memory(stopping=frozenset(one.id for one in there if one.name in stopping))
    agent.apply(diff(there, agent.registrations(), RULES, memory=memory).operations)
    assert diff(there, agent.registrations(), RULES, memory=memory).operations == ()
    assert diff(there[::-1], agent.registrations(), RULES, memory=memory).operations == ()


@given(agents(), containers())
@settings(max_examples=150)
def test_nothing_of_others_is_touched(agent: FakeAgent, there: list[Container]) -> None:
    before = {key: dict(one) for key, one in agent.services.items() if one["Meta"].get("registrator-engine") != ENGINE}
    checks = {key: dict(one) for key, one in agent.checks.items() if one["ServiceID"] in before}
    plan = diff(there, agent.registrations(), RULES)
    agent.apply(plan.operations)
    taken = set(plan.wanted)
    for service, row in before.items():
        if service not in taken:
            assert agent.services[service] == row
            assert subject_count(agent, service) == 0
    for check, row in checks.items():
        if row["ServiceID"] not in taken:
            assert agent.checks[check] == row


def subject_count(agent: FakeAgent, service: str) -> int:
    return sum(subject(one) == service for one in agent.written)


@given(agents(), containers())
@settings(max_examples=100)
def test_what_is_left_is_what_containers_want(agent: FakeAgent, there: list[Container]) -> None:
    plan = diff(there, agent.registrations(), RULES)
    agent.apply(plan.operations)
    own = {key for key, one in agent.services.items() if one["Meta"].get("registrator-engine") == ENGINE}
    assert own == set(plan.wanted)
    running = {one.id for one in there if one.state.value != "ended"}
    assert {agent.services[key]["Meta"]["registrator-container"] for key in own} <= running


@given(containers(), containers())
@settings(max_examples=100)
def test_only_differences_are_written(before: list[Container], after: list[Container]) -> None:
    agent = FakeAgent()
    agent.apply(diff(before, {}, RULES).operations)
    rows = {key: dict(one) for key, one in agent.services.items()}
    plan = diff(after, agent.registrations(), RULES)
    agent.apply(plan.operations)
    same = {key for key, row in rows.items() if agent.services.get(key) == row}
    written = {subject(one) for one in plan.operations if isinstance(one, Register | Deregister)}
    assert not written & same
    removed = {one.check_id for one in plan.operations if isinstance(one, RemoveCheck)}
    assert not removed & agent.checks.keys()
