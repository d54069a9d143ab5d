"""Nodes: their state, the reason, the health of their services, and the server that leads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, PASSING, WARNING, HealthCheck
from pyconsul.agent.reads import overview
from pyconsul.agent.state.catalog.summaries import NodeInfo
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.catalog.node_actions import SELECTED
from pyconsul.agent.ui.pages.listing import filtered, is_expression, part_of, words_match
from pyconsul.agent.ui.shown import NONE, counts, first_line, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

STATES = (CRITICAL, MAINTENANCE, WARNING, PASSING, NONE)
SORTS = (
    ("", "Worst first"),
    ("Node:asc", "A to Z"),
    ("Node:desc", "Z to A"),
    ("Services:desc", "Most services"),
    ("Version:asc", "Oldest version"),
    ("Version:desc", "Latest version"),
)
#: Beginnings of expressions that are offered while a filter is typed.
EXAMPLES = ('Node matches ""', 'Address == ""', 'Meta.rack == ""', "Meta is empty")
LACKING = "needs the permission node:write for a node"
VERSION = "consul-version"  # meta data of a node with an agent
OWN_META = (VERSION, "consul-network-segment")


@dataclass(frozen=True, slots=True)
class Row:
    """A node.  state: of its own checks; numbers: the states of its services; reason: of the worst of both."""

    name: str
    state: str
    leads: bool
    address: str
    version: str
    meta: tuple[str, ...]
    services: int
    numbers: dict[str, int]
    reason: str
    since: float | None


def show(visit: Visit) -> Page:
    """Show the nodes."""
    search, status = visit.params.get("filter", "").strip(), visit.params.get("status", "")
    sort, version = visit.params.get("sort", ""), visit.params.get("version", "")
    found: list[NodeInfo] = visit.read(overview.nodes(visit.view, visit.caller))
    chosen, mistake = filtered(found, search, NodeInfo) if is_expression(search) else (found, None)
    leader = leader_name(visit)
    rows = [_row(visit, one, leader) for one in chosen]
    if search and not is_expression(search):
        rows = [row for row in rows if words_match(search, row.name, row.address, row.version, *row.meta, row.reason)]
    versions = sorted({row.version for row in rows if row.version}, key=version_key)
    rows = [row for row in rows if status in ("", row.state) and version in ("", row.version)]
    part = part_of(visit, _sorted(rows, sort), partial(_address, visit))
    return Page(
        "nodes.html",
        "Nodes",
        "nodes",
        {
            "total": len(rows),
            "all": len(found),
            "numbers": counts(row.state for row in rows),
            "rows": part.rows,
            "part": part,
            "search": search,
            "status": status,
            "sort": sort,
            "version": version,
            "versions": versions,
            "states": STATES,
            "sorts": SORTS,
            "words": EXAMPLES,
            "mistake": mistake,
            "selected": frozenset(visit.request.multi("on")),
            "lacking": "" if any(not visit.lacks("node:write", row.name) for row in part.rows) else LACKING,
        },
    )


def leader_name(visit: Visit) -> str:
    """Return the node name of the server that leads, "" while none does."""
    cluster = visit.context.cluster
    if cluster is None:
        return visit.config.node_name if visit.config.server else ""
    return cluster.leader.name if cluster.leader is not None else ""


def version_key(text: str) -> tuple[int, ...]:
    """Return what versions are ordered by: `1.21.4` comes after `1.9.0`."""
    return tuple(map(int, re.findall(r"[0-9]+", text)[:6]))


def own_and_services(checks: Sequence[HealthCheck]) -> tuple[list[HealthCheck], dict[str, list[HealthCheck]]]:
    """Return the checks of a node itself, and those of its instances by ID."""
    own: list[HealthCheck] = []
    by_service: dict[str, list[HealthCheck]] = {}
    for check in checks:
        if check.service_id:
            by_service.setdefault(check.service_id, []).append(check)
        else:
            own.append(check)
    return own, by_service


def _row(visit: Visit, one: NodeInfo, leader: str) -> Row:
    own, by_service = own_and_services(one.checks)
    state = worst(map(state_of, own))
    states = [worst(map(state_of, by_service.get(service.id, ()))) for service in one.services]
    reason, since = _reason(visit, own, one.checks)
    meta = one.meta or {}
    return Row(
        one.node,
        state,
        bool(leader) and one.node.lower() == leader.lower(),
        one.address,
        meta.get(VERSION, ""),
        tuple(f"{name}={value}" for name, value in sorted(meta.items()) if name not in OWN_META),
        len(one.services),
        counts(states),
        reason,
        since,
    )


def _reason(visit: Visit, own: list[HealthCheck], checks: Sequence[HealthCheck]) -> tuple[str, float | None]:
    """Return why a node is not well: its own worst check that has failed longest, else that of a service."""
    failing = [check for check in own if check.status != PASSING] or [row for row in checks if row.status != PASSING]
    if not failing:
        return "", None
    timeline = visit.context.timeline

    def began(check: HealthCheck) -> float:
        return (timeline.since(check.node, check.check_id) if timeline is not None else None) or 0.0

    first = min(failing, key=lambda check: (order_of(state_of(check)), began(check)))
    text = first_line(first.output or first.notes or first.name)
    return f"{first.service_name}: {text}" if first.service_id else text, began(first) or None


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    key: Any = {
        "Node": lambda row: row.name,
        "Services": lambda row: row.services,
        "Version": lambda row: version_key(row.version),
    }.get(sort.partition(":")[0])
    if key is None:
        return sorted(rows, key=_worst_first)
    return sorted(sorted(rows, key=lambda row: row.name), key=key, reverse=sort.endswith(":desc"))


def _worst_first(row: Row) -> tuple[int, int, str]:
    own, services = order_of(row.state), order_of(next(iter(row.numbers), PASSING))
    return min(own, services), own, row.name


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in ("filter", "status", "version", "sort")}
    return visit.links.to("nodes", **kept, part=number if number > 1 else "")


PAGES = (PageRoute("nodes", show, SELECTED),)
