"""One service: its instances, the reason of each failure, and maintenance of an instance."""

from __future__ import annotations

from dataclasses import dataclass

from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import MAINTENANCE, PASSING
from pyconsul.agent.reads import health
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Page, PageRoute, Question
from pyconsul.agent.ui.shown import counts, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that does not pass."""

    name: str
    state: str
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """An instance.  maintenance: the action that begins or ends it; label: of its button; lacks: the missing rule."""

    id: str
    node: str
    address: str
    state: str
    tags: tuple[str, ...]
    counts: dict[str, int]
    failing: tuple[Failing, ...]
    maintenance: str
    label: str
    lacks: str


def show(visit: Visit) -> Page:
    """Show the instances of a service."""
    name = visit.names["name"]
    found: list[CheckServiceNode] = visit.read(health.instances(visit.view, visit.caller, name))
    if not found:
        raise Missing(
            f'Service "{name}" is not registered', "", "It may have been deregistered, or your token does not show it."
        )
    rows = sorted((_row(visit, one) for one in found), key=lambda row: (order_of(row.state), row.node, row.id))
    return Page(
        "service.html",
        name,
        "services",
        {"name": name, "instances": rows, "numbers": counts(row.state for row in rows)},
    )


def _row(visit: Visit, one: CheckServiceNode) -> Row:
    service = one.service
    states = [state_of(check) for check in one.checks]
    is_off = MAINTENANCE in states
    failing = [
        Failing(check.name, state, check.output or check.notes)
        for check, state in zip(one.checks, states, strict=True)
        if state != PASSING
    ]
    return Row(
        service.id,
        one.node.node,
        f"{service.address or one.node.address}:{service.port}",
        worst(states),
        tuple(service.tags),
        counts(states),
        tuple(sorted(failing, key=lambda check: order_of(check.state))),
        "maintenance-end" if is_off else "maintenance",
        "End maintenance" if is_off else "Maintenance",
        visit.lacks("service:write", service.service),
    )


def _instance(visit: Visit) -> tuple[str, str]:
    """Return node and ID of the instance that an action is about."""
    node, _, service_id = (visit.form.get("on") or visit.params.get("on", "")).partition("/")
    return node, service_id


def ask_maintenance(visit: Visit) -> Question:
    """Ask before an instance is put into maintenance."""
    node, service_id = _instance(visit)
    return Question(
        f"Put {service_id} on {node} into maintenance?",
        ("It is critical then, so that DNS and load balancers leave it out. Nothing is stopped.",),
        f"Put {service_id} on {node} into maintenance",
        f'pyconsul maint -node {node} -enable -service {service_id} -reason "…"',
        fields=(Field("reason", "Reason", hint="Shown as the output of the check."),),
        lacks=visit.lacks("service:write", visit.names["name"]),
        carry=(("on", f"{node}/{service_id}"),),
    )


async def begin_maintenance(visit: Visit) -> Outcome:
    """Put an instance into maintenance."""
    node, service_id = _instance(visit)
    await visit.send(
        "PUT",
        f"/v1/agent/service/maintenance/{service_id}",
        enable="true",
        reason=visit.form.get("reason") or None,
        node=node,
        failed=f"{service_id} on {node} was not put into maintenance",
    )
    return Outcome(f"{service_id} on {node} is in maintenance.")


def ask_end(visit: Visit) -> Question:
    """Ask before the maintenance of an instance ends."""
    node, service_id = _instance(visit)
    return Question(
        f"End the maintenance of {service_id} on {node}?",
        ("Its own checks count again.",),
        f"End the maintenance of {service_id}",
        f"pyconsul maint -node {node} -disable -service {service_id}",
        lacks=visit.lacks("service:write", visit.names["name"]),
        carry=(("on", f"{node}/{service_id}"),),
    )


async def end_maintenance(visit: Visit) -> Outcome:
    """End the maintenance of an instance."""
    node, service_id = _instance(visit)
    await visit.send(
        "PUT",
        f"/v1/agent/service/maintenance/{service_id}",
        enable="false",
        node=node,
        failed=f"The maintenance of {service_id} on {node} has not ended",
    )
    return Outcome(f"{service_id} on {node} is back.")


ACTIONS = {
    "maintenance": Action(begin_maintenance, ask_maintenance),
    "maintenance-end": Action(end_maintenance, ask_end),
}
PAGES = (PageRoute("services/{name}", show, ACTIONS), PageRoute("services/{name}/instances", show, ACTIONS))
