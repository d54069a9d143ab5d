"""Instances and their checks as the pages of services show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import MAINTENANCE, PASSING, HealthCheck
from pyconsul.agent.ui.pages.services.heartbeats import Beat, Heartbeats
from pyconsul.agent.ui.pages.services.owners import key_of
from pyconsul.agent.ui.shown import counts, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

SHOWN_CHECKS = 6  # of an instance in a list; the others are counted


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check.  since: Unix seconds, None for longer than the agent remembers.   of_node: it counts for the whole node.

    kind: of the check, as `http` or `maintenance`; "" for one that other programs report.
    """

    id: str
    name: str
    state: str
    output: str
    notes: str
    kind: str
    interval: str
    of_node: bool
    since: float | None
    beats: Sequence[Beat]


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """An instance.  key: its value in forms.   address: with the port; from_node: the host is the node's.

    more: the number of passing checks that are not among `checks`.
    """

    key: str
    id: str
    node: str
    address: str
    from_node: bool
    state: str
    tags: tuple[str, ...]
    meta: dict[str, str]
    counts: dict[str, int]
    checks: tuple[CheckRow, ...]
    more: int
    in_maintenance: bool


def address_of(one: CheckServiceNode) -> tuple[str, bool]:
    """Return the address of an instance with its port, if it has one, and whether the host is the node's."""
    service = one.service
    if service.socket_path:
        return service.socket_path, False
    host, port = service.address or one.node.address, service.port
    if not port:
        return host, not service.address
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}"), not service.address


def check_rows(visit: Visit, checks: Sequence[HealthCheck], beats: Heartbeats) -> list[CheckRow]:
    """Return checks, the worst first."""
    timeline = visit.context.timeline
    rows = [
        CheckRow(
            check.check_id,
            check.name,
            state_of(check),
            beats.output_of(check),
            check.notes,
            check.type,
            check.interval,
            not check.service_id,
            timeline.since(check.node, check.check_id) if timeline is not None else None,
            beats.of(check.node, check.check_id),
        )
        for check in checks
    ]
    return sorted(rows, key=lambda row: (order_of(row.state), row.of_node, row.name, row.id))


def instance_row(visit: Visit, one: CheckServiceNode, beats: Heartbeats) -> InstanceRow:
    """Return a row for an instance: with its own checks, and those of its node that do not pass."""
    rows = check_rows(visit, one.checks, beats)
    wanted = [row for row in rows if row.state != PASSING or not row.of_node]
    failing = sum(row.state != PASSING for row in wanted)
    shown = wanted[: max(SHOWN_CHECKS, failing)]
    states = [row.state for row in rows]
    address, from_node = address_of(one)
    return InstanceRow(
        key_of(one.node.node, one.service.id),
        one.service.id,
        one.node.node,
        address,
        from_node,
        worst(states),
        tuple(one.service.tags),
        dict(one.service.meta or {}),
        counts(states),
        tuple(shown),
        len(wanted) - len(shown),
        any(row.state == MAINTENANCE and not row.of_node for row in rows),
    )
