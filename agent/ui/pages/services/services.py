"""Services: their state, the reason, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.model.catalog import CatalogService, CheckServiceNode, flatten
from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, PASSING, WARNING, HealthCheck
from pyconsul.agent.reads import overview
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.listing import Mistake, filtered, is_expression, part_of, words_match
from pyconsul.agent.ui.shown import NONE, counts, first_line, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

STATES = (CRITICAL, MAINTENANCE, WARNING, PASSING, NONE)
SORTS = (("", "Worst first"), ("Name:asc", "A to Z"), ("Name:desc", "Z to A"), ("Instances:desc", "Most instances"))
WORDS = {CRITICAL: "down", WARNING: "warn", MAINTENANCE: "in maintenance"}
#: Beginnings of expressions that are offered while somebody types.
EXAMPLES = (
    'ServiceTags contains ""',
    'ServiceMeta.version == ""',
    'Node == ""',
    'NodeMeta.rack == ""',
    'ServiceName matches ""',
)


@dataclass(frozen=True, slots=True)
class Row:
    """A service.  failing: the number of its instances that are in its state, 0 if that is good."""

    name: str
    state: str
    instances: int
    failing: int
    word: str
    tags: tuple[str, ...]
    reason: str
    since: float | None


def show(visit: Visit) -> Page:
    """Show the services."""
    search, status = visit.params.get("filter", "").strip(), visit.params.get("status", "")
    sort = visit.params.get("sort", "")
    found: list[CheckServiceNode] = visit.read(overview.all_instances(visit.view, visit.caller))
    chosen, mistake = _chosen(found, search)
    rows = [_row(visit, name, group) for name, group in _by_name(chosen).items()]
    if search and not is_expression(search):
        rows = [row for row in rows if words_match(search, row.name, *row.tags, row.reason)]
    if status:
        rows = [row for row in rows if row.state == status]
    ordered = _sorted(rows, sort)
    part = part_of(visit, ordered, partial(_address, visit))
    return Page(
        "services.html",
        "Services",
        "services",
        {
            "total": len(rows),
            "all": len({one.service.service for one in found}),
            "numbers": counts(row.state for row in rows),
            "rows": part.rows,
            "part": part,
            "search": search,
            "status": status,
            "sort": sort,
            "states": STATES,
            "sorts": SORTS,
            "words": EXAMPLES,
            "mistake": mistake,
        },
    )


def _chosen(found: list[CheckServiceNode], search: str) -> tuple[list[CheckServiceNode], Mistake | None]:
    """Return the instances that a filter expression selects."""
    if not is_expression(search):
        return found, None
    flat: list[CatalogService] = [flatten(one.node, one.service) for one in found]
    kept, mistake = filtered(flat, search, CatalogService)
    keys = {(row.node, row.service_id) for row in kept}
    return [one for one in found if (one.node.node, one.service.id) in keys], mistake


def _by_name(found: Sequence[CheckServiceNode]) -> dict[str, list[CheckServiceNode]]:
    groups: dict[str, list[CheckServiceNode]] = {}
    for one in found:
        groups.setdefault(one.service.service, []).append(one)
    return groups


def _row(visit: Visit, name: str, group: Sequence[CheckServiceNode]) -> Row:
    """Return a service with the reason of its state: the output of the check that has failed longest."""
    states = [worst(map(state_of, one.checks)) for one in group]
    state = worst(states)
    is_bad = state in WORDS
    reason, since = _reason(visit, group, state) if is_bad else ("", None)
    return Row(
        name,
        state,
        len(group),
        states.count(state) if is_bad else 0,
        WORDS.get(state, ""),
        tuple(sorted({tag for one in group for tag in one.service.tags})),
        reason,
        since,
    )


def _reason(visit: Visit, group: Sequence[CheckServiceNode], state: str) -> tuple[str, float | None]:
    timeline = visit.context.timeline
    failing = [check for one in group for check in one.checks if state_of(check) == state]

    def began(check: HealthCheck) -> float:
        return (timeline.since(check.node, check.check_id) if timeline is not None else None) or 0.0

    oldest = min(failing, key=began)
    return first_line(oldest.output or oldest.notes or oldest.name), began(oldest) or None


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    key: Any = {
        "Name:asc": lambda row: row.name,
        "Name:desc": lambda row: row.name,
        "Instances:desc": lambda row: row.instances,
    }.get(sort)
    if key is None:
        return sorted(rows, key=lambda row: (order_of(row.state), row.name))
    return sorted(rows, key=key, reverse=sort.endswith(":desc"))


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in ("filter", "status", "sort")}
    return visit.links.to("services", **kept, part=number if number > 1 else None)


PAGES = (PageRoute("services", show),)
