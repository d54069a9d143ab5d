"""The services and checks that this agent holds: where each comes from, and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.listing import part_of
from pyconsul.agent.ui.shown import counts, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

REFRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """A check.  how: what it does and how often."""

    id: str
    name: str
    state: str
    how: str
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """A service with its checks; the node's own checks have an empty ID.  source: a file, or the API."""

    id: str
    name: str
    state: str
    port: int
    tags: tuple[str, ...]
    source: str
    numbers: dict[str, int]
    checks: tuple[Check, ...]


class Held(NamedTuple):
    """A service with its checks as the agent holds them; the node's own checks have no service."""

    id: str
    name: str
    state: str
    service: ServiceRow | None
    checks: Sequence[CheckRow]


def show(visit: Visit) -> Page:
    """Show the services and checks, the worst first."""
    held = held_services(visit.context.agent.local, visit.caller, visit.config.node_name)
    part = part_of(visit, held, partial(_address, visit))
    data = {
        "rows": [_row(one) for one in part.rows],
        "part": part,
        "total": sum(one.service is not None for one in held),
        "numbers": counts(one.state for one in held),
        "name": visit.config.node_name,
        "tab": "services",
    }
    return Page("agent_services.html", "Services of the agent", "agent", data, refresh_s=REFRESH_S)


def _address(visit: Visit, number: int) -> str:
    return visit.links.to("agent", "services", part=number if number > 1 else None)


def held_services(local: LocalState, caller: Authorizer, node: str) -> list[Held]:
    """Return what the caller may see of an agent's services, and of the checks of its node, the worst first."""
    found = [
        _held(row, local.checks_of(row.service.id))
        for row in local.services.values()
        if caller.level("service", row.service.service) >= READ
    ]
    own = local.checks_of("")
    if own and caller.level("node", node) >= READ:
        found.append(_held(None, own))
    return sorted(found, key=lambda one: (order_of(one.state), one.name, one.id))


def _held(row: ServiceRow | None, checks: Sequence[CheckRow]) -> Held:
    service_id, name = (row.service.id, row.service.service) if row is not None else ("", "")
    return Held(service_id, name, worst(state_of(check.check) for check in checks), row, checks)


def _row(one: Held) -> Row:
    states = [state_of(row.check) for row in one.checks]
    checks = sorted((_check(row) for row in one.checks), key=lambda check: (order_of(check.state), check.id))
    if one.service is None:
        return Row("", "", one.state, 0, (), "", counts(states), tuple(checks))
    service = one.service.service
    source = "configuration file" if one.service.from_file else "API"
    return Row(one.id, one.name, one.state, service.port, tuple(service.tags), source, counts(states), tuple(checks))


def _check(row: CheckRow) -> Check:
    check: HealthCheck = row.check
    return Check(check.check_id, check.name, state_of(check), how(check, row.definition), check.output)


def how(check: HealthCheck, definition: CheckDefinition | None) -> str:
    """Return what a check does, in words."""
    if definition is None:
        return "set by hand"
    if definition.ttl:
        return f"TTL of {format_go_duration_ns(definition.ttl)}: critical unless it is reported in time"
    parts = [check.type or "check"]
    if check.interval:
        parts.append(f"every {check.interval}")
    if check.timeout:
        parts.append(f"for {check.timeout} at most")
    return ", ".join(parts)


PAGES = (PageRoute("agent/services", show, local=True),)
