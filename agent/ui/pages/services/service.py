"""One service: its instances, why they fail and since when, how to use it, and actions on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from pyconsul.agent.model.catalog import CatalogService, CheckServiceNode, flatten
from pyconsul.agent.reads import health
from pyconsul.agent.state import topics
from pyconsul.agent.ui.contract import Missing, Page, PageRoute
from pyconsul.agent.ui.pages.listing import Mistake, filtered, is_expression, part_of, words_match
from pyconsul.agent.ui.pages.services.heartbeats import REFRESH_S, Heartbeats, heartbeats, of_service
from pyconsul.agent.ui.pages.services.instance_actions import ACTIONS
from pyconsul.agent.ui.pages.services.instance_rows import address_of, instance_row
from pyconsul.agent.ui.pages.services.use_it import use_it
from pyconsul.agent.ui.shown import counts, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

STATES = ("critical", "maintenance", "warning", "passing", "none")
SORTS = (("", "Worst first"), ("Node:asc", "By node"), ("ID:asc", "By ID"))
SILENT = 3  # agents without an answer that are named


def instances_of(visit: Visit) -> list[CheckServiceNode]:
    """Return the instances of the service that the address names.  Raises Missing."""
    name = visit.names["name"]
    found: list[CheckServiceNode] = visit.read(health.instances(visit.view, visit.caller, name))
    if not found:
        raise Missing(
            f'Service "{name}" is not registered', "", "It may have been deregistered, or your token does not show it."
        )
    return found


async def show(visit: Visit) -> Page:
    """Show the instances of a service."""
    found = instances_of(visit)
    name = found[0].service.service
    search, status = visit.params.get("filter", "").strip(), visit.params.get("status", "")
    chosen, mistake = _chosen(found, search)
    states = {(one.node.node, one.service.id): worst(map(state_of, one.checks)) for one in found}
    if status:
        chosen = [one for one in chosen if states[one.node.node, one.service.id] == status]
    chosen = _sorted(chosen, states, visit.params.get("sort", ""))
    part = part_of(visit, chosen, partial(_address, visit))
    version = visit.view.last_index(topics.of_service(name))
    beats = await heartbeats(visit, (one.node.node for one in part.rows), of_service(name), version)
    return Page(
        "service.html",
        name,
        "services",
        {
            "name": name,
            "tab": "instances",
            "total": len(found),
            "numbers": counts(states.values()),
            "instances": [instance_row(visit, one, beats) for one in part.rows],
            "part": part,
            "silent": _silent(beats),
            "use": use_it(visit, name, {tag for one in found for tag in one.service.tags}),
            "search": search,
            "status": status,
            "sort": visit.params.get("sort", ""),
            "states": STATES,
            "sorts": SORTS,
            "mistake": mistake,
            "selected": frozenset(visit.request.multi("on")),
            "lacking": visit.lacks("service:write", name),
        },
        refresh_s=REFRESH_S,
    )


def _chosen(found: list[CheckServiceNode], search: str) -> tuple[list[CheckServiceNode], Mistake | None]:
    """Return the instances that words or an expression of the filter language select."""
    if is_expression(search):
        flat: list[CatalogService] = [flatten(one.node, one.service) for one in found]
        kept, mistake = filtered(flat, search, CatalogService)
        keys = {(row.node, row.service_id) for row in kept}
        return [one for one in found if (one.node.node, one.service.id) in keys], mistake
    if not search:
        return found, None
    return [one for one in found if words_match(search, *_texts(one))], None


def _texts(one: CheckServiceNode) -> list[str]:
    meta = [f"{key}={value}" for key, value in (one.service.meta or {}).items()]
    return [
        one.service.id,
        one.node.node,
        address_of(one)[0],
        *one.service.tags,
        *meta,
        *(check.output for check in one.checks if check.status != "passing"),
    ]


def _sorted(found: list[CheckServiceNode], states: dict[tuple[str, str], str], sort: str) -> list[CheckServiceNode]:
    if sort == "Node:asc":
        return sorted(found, key=lambda one: (one.node.node, one.service.id))
    if sort == "ID:asc":
        return sorted(found, key=lambda one: (one.service.id, one.node.node))
    return sorted(
        found,
        key=lambda one: (order_of(states[one.node.node, one.service.id]), one.node.node, one.service.id),
    )


def _silent(beats: Heartbeats) -> list[str]:
    """Return the nodes without bars, by the reason."""
    nodes: dict[str, list[str]] = {}
    for node, reason in beats.silent.items():
        nodes.setdefault(reason, []).append(node)
    return [
        f"{', '.join(names[:SILENT])}{f' and {len(names) - SILENT} more' if len(names) > SILENT else ''}: {reason}"
        for reason, names in nodes.items()
    ]


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in ("filter", "status", "sort")}
    return visit.links.to("services", visit.names["name"], "instances", **kept, part=number if number > 1 else None)


def show_tags(visit: Visit) -> Page:
    """Show the tags of a service, with the numbers of their instances."""
    found = instances_of(visit)
    tags = Counter(tag for one in found for tag in dict.fromkeys(one.service.tags))
    rows = sorted(tags.items(), key=lambda row: (-row[1], row[0]))
    return _plain(visit, found, "tags", rows)


def show_mesh(visit: Visit) -> Page:
    """Show a note instead of Consul's pages about the service mesh."""
    return _plain(visit, instances_of(visit), "mesh", [])


def _plain(visit: Visit, found: Sequence[CheckServiceNode], tab: str, tags: Sequence[tuple[str, int]]) -> Page:
    name = found[0].service.service
    states = [worst(map(state_of, one.checks)) for one in found]
    data = {"name": name, "tab": tab, "total": len(found), "numbers": counts(states), "tags": tags}
    return Page("service_about.html", name, "services", data)


PAGES = (
    PageRoute("services/{name}", show, ACTIONS),
    PageRoute("services/{name}/instances", show, ACTIONS),
    PageRoute("services/{name}/tags", show_tags),
    PageRoute("services/{name}/intentions", show_mesh),
    PageRoute("services/{name}/routing", show_mesh),
    PageRoute("services/{name}/topology", show_mesh),
    PageRoute("services/{name}/upstreams", show_mesh),
)
