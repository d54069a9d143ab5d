"""Reads of the agent itself: its services, its checks and the events that it received, as a caller may see them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.local_agent import NODE, check_row, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import READ, Rule
from pyconsul.agent.events.event_log import TOPIC, EventLog
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.reads import events, local
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState


def reader(kind: str, name: str) -> Authorizer:
    """Return a caller who may read this name only."""
    return Authorizer("test", CompiledPolicies([Rule(kind, name, False, READ)]), default_allow=False)


WEB, NODE_READER = reader("service", "web"), reader("node", NODE)


@pytest.fixture
def state() -> LocalState:
    state = LocalState(Watches())
    for name in ("web", "db"):
        row = service_row(name + "-1", name)
        state.put_service(ServiceRow(row))
        check = check_row(name, row.id)
        state.put_check(CheckRow(replace(check, service_name=name)), 0.0)
    state.put_check(CheckRow(check_row("disk")), 0.0)
    return state


def test_services_that_a_caller_may_not_read_are_hidden(state: LocalState) -> None:
    assert [[row.id for row in local.services(state, one)[0]] for one in (EVERYTHING, WEB)] == [
        ["db-1", "web-1"],
        ["web-1"],
    ]
    assert local.services(state, WEB)[1]


def test_checks_are_seen_with_their_service_or_with_the_node(state: LocalState) -> None:
    seen = {
        one: [check.check_id for check in local.checks(state, one, NODE)[0]] for one in (EVERYTHING, WEB, NODE_READER)
    }
    assert seen == {EVERYTHING: ["db", "disk", "web"], WEB: ["web"], NODE_READER: ["disk"]}


def test_one_service_is_refused_without_its_permission(state: LocalState) -> None:
    web = local.service(state, WEB, "web-1")
    assert web is not None
    assert [check.check_id for check in local.health(state, WEB, web)] == ["disk", "web"]
    assert local.services_named(state, WEB, "web") == [web]
    assert local.service(state, NODE_READER, "nothing") is None
    with pytest.raises(PermissionDenied):
        local.service(state, NODE_READER, "web-1")
    with pytest.raises(PermissionDenied):
        local.health(state, NODE_READER, web)
    with pytest.raises(PermissionDenied):
        local.services_named(state, NODE_READER, "nothing")


def test_events_that_a_caller_may_not_read_are_hidden_but_count_for_the_index() -> None:
    log = EventLog(Watches())
    for number, name in enumerate(("deploy", "secret")):
        log.add(UserEvent(f"00000000-0000-0000-0000-00000000000{number}", name, None, "", "", "", 1, number))
    result = events.recent(log, reader("event", "deploy"))
    assert [event.name for event in result.value] == ["deploy"]
    assert (result.index, result.filtered, result.topics) == (log.index(), True, (TOPIC,))
    assert events.recent(log, EVERYTHING, "secret").index == log.index("secret")
