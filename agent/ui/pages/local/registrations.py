"""The services and checks that this agent holds: where each comes from, and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.ui.contract import Page, PageRoute
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


def show(visit: Visit) -> Page:
    """Show the services and checks, the worst first."""
    rows = rows_of(visit.context.agent.local, visit.caller, visit.config.node_name)
    data = {
        "rows": rows,
        "numbers": counts(row.state for row in rows),
        "name": visit.config.node_name,
        "tab": "services",
    }
    return Page("agent_services.html", "Services of the agent", "agent", data, refresh_s=REFRESH_S)


def rows_of(local: LocalState, caller: Authorizer, node: str) -> list[Row]:
    """Return what the caller may see of an agent's services, and of the checks of its node."""
    found = [
        _service(row, local.checks_of(row.service.id))
        for row in local.services.values()
        if caller.level("service", row.service.service) >= READ
    ]
    own = local.checks_of("")
    if own and caller.level("node", node) >= READ:
        found.append(_row("", "", 0, (), "", own))
    return sorted(found, key=lambda row: (order_of(row.state), row.name, row.id))


def _service(row: ServiceRow, checks: Sequence[CheckRow]) -> Row:
    service = row.service
    source = "configuration file" if row.from_file else "API"
    return _row(service.id, service.service, service.port, tuple(service.tags), source, checks)


def _row(service_id: str, name: str, port: int, tags: tuple[str, ...], source: str, rows: Sequence[CheckRow]) -> Row:
    states = [state_of(row.check) for row in rows]
    checks = sorted((_check(row) for row in rows), key=lambda one: (order_of(one.state), one.id))
    return Row(service_id, name, worst(states), port, tags, source, counts(states), tuple(checks))


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
