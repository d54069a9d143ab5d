"""Services: their state, the reason, and since when; filters, and actions on many of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.model.catalog import CatalogService, CheckServiceNode, flatten
from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, PASSING, WARNING
from pyconsul.agent.reads import overview
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.listing import Mistake, filtered, is_expression, part_of, words_match
from pyconsul.agent.ui.pages.services.filter_words import complete
from pyconsul.agent.ui.pages.services.heartbeats import REFRESH_S
from pyconsul.agent.ui.pages.services.instance_actions import ACTIONS
from pyconsul.agent.ui.pages.services.summaries import Summary, asker, reasons, summaries, summary, version_of
from pyconsul.agent.ui.shown import NONE, counts, order_of
from pyconsul.agent.ui.visit import Visit

STATES = (CRITICAL, MAINTENANCE, WARNING, PASSING, NONE)
SORTS = (
    ("", "Worst first"),
    ("Name:asc", "A to Z"),
    ("Name:desc", "Z to A"),
    ("Instances:desc", "Most instances"),
    ("Since:desc", "Changed last"),
)
FILTERS = ("filter", "status", "tag", "meta", "node", "sort")
MOST_NAMES = 200  # of tags, nodes and metadata that filters offer


@dataclass(frozen=True, slots=True)
class Names:
    """The names that exist: what filters offer.   meta: as `key=value`.   by_selector: for expressions."""

    tags: Sequence[str]
    nodes: Sequence[str]
    meta: Sequence[str]
    by_selector: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Listed:
    """The services that filters select, in order.  numbers: of them by state."""

    rows: Sequence[Summary]
    numbers: Mapping[str, int]
    mistake: Mistake | None


async def show(visit: Visit) -> Page:
    """Show the services."""
    chosen = {name: visit.params.get(name, "").strip() for name in FILTERS}
    everything = summaries(visit)
    listed: Listed = visit.kept.latest(
        ("listed", *chosen.values(), *asker(visit)), version_of(visit), lambda _: _listed(visit, everything, chosen)
    )
    part = part_of(visit, listed.rows, partial(_address, visit))
    why = await reasons(visit, part.rows)
    names = _names(visit, everything)
    typed = visit.params.get("filter", "")
    return Page(
        "services.html",
        "Services",
        "services",
        {
            "total": len(listed.rows),
            "all": len(everything),
            "numbers": listed.numbers,
            "rows": part.rows,
            "part": part,
            "typed": typed,
            "reasons": why,
            "chosen": chosen,
            "is_filtered": any(chosen[name] for name in FILTERS if name != "sort"),
            "more": any(chosen[name] for name in ("tag", "meta", "node")),
            "states": STATES,
            "sorts": SORTS,
            "names": names,
            "words": complete(typed, names.by_selector) if typed else (),
            "mistake": listed.mistake,
            "selected": frozenset(visit.request.multi("service")),
            "lacking": _lacking(visit, part.rows),
        },
        refresh_s=REFRESH_S if any(row.failing and not row.reason for row in part.rows) else 0.0,
    )


def _listed(visit: Visit, everything: Mapping[str, Summary], chosen: Mapping[str, str]) -> Listed:
    rows, mistake = _found(visit, everything, chosen["filter"])
    if any(chosen[name] for name in ("status", "tag", "node", "meta")):
        rows = [row for row in rows if _fits(row, chosen)]
    return Listed(_sorted(rows, chosen["sort"]), counts(row.state for row in rows), mistake)


def _lacking(visit: Visit, rows: Iterable[Summary]) -> str:
    """Return the rule that the caller lacks to change the first service, if there is none that it may change."""
    first = ""
    for row in rows:
        lacks = visit.lacks("service:write", row.name)
        if not lacks:
            return ""
        first = first or lacks
    return first


def _found(visit: Visit, everything: Mapping[str, Summary], search: str) -> tuple[Sequence[Summary], Mistake | None]:
    """Return the services that words or an expression select; of an expression, with the instances that it selects."""
    if not is_expression(search):
        rows = list(everything.values())
        return [row for row in rows if words_match(search, row.name, *row.tags, row.reason)] if search else rows, None
    found: list[CheckServiceNode] = visit.read(overview.all_instances(visit.view, visit.caller))
    flat: list[CatalogService] = [flatten(one.node, one.service) for one in found]
    kept, mistake = filtered(flat, search, CatalogService)
    if mistake is not None:
        return list(everything.values()), mistake
    keys = {(row.node, row.service_id) for row in kept}
    groups: dict[str, list[CheckServiceNode]] = {}
    for one in found:
        if (one.node.node, one.service.id) in keys:
            groups.setdefault(one.service.service, []).append(one)
    timeline = visit.context.timeline
    return [summary(name, group, timeline) for name, group in groups.items()], None


def _fits(row: Summary, chosen: Mapping[str, str]) -> bool:
    if chosen["status"] and row.state != chosen["status"]:
        return False
    if chosen["tag"] and chosen["tag"] not in row.tags:
        return False
    if chosen["node"] and chosen["node"] not in row.nodes:
        return False
    if wanted := chosen["meta"]:
        key, separator, value = wanted.partition("=")
        return (key, value) in row.meta if separator else any(name == key for name, _ in row.meta)
    return True


def _names(visit: Visit, everything: Mapping[str, Summary]) -> Names:
    """Return the names that exist, made once for each change."""
    names: Names = visit.kept.latest(
        ("names", *asker(visit)), version_of(visit), lambda _: _names_of(visit, everything)
    )
    return names


def _names_of(visit: Visit, everything: Mapping[str, Summary]) -> Names:
    rows = everything.values()
    tags = sorted({tag for row in rows for tag in row.tags})
    nodes = sorted({node for row in rows for node in row.nodes})
    pairs = sorted({pair for row in rows for pair in row.meta})
    keys = sorted({key for key, _ in pairs})
    found = overview.nodes_meta_keys(visit.view, visit.caller).value
    by_selector = {
        "ServiceTags": tags,
        "Node": nodes,
        "ServiceName": list(everything),
        "ServiceMeta": keys,
        "NodeMeta": found,
        **{f"ServiceMeta.{key}": [value for name, value in pairs if name == key] for key in keys[:MOST_NAMES]},
    }
    meta = [f"{key}={value}" for key, value in pairs]
    return Names(tags[:MOST_NAMES], nodes[:MOST_NAMES], meta[:MOST_NAMES], by_selector)


def _sorted(rows: Sequence[Summary], sort: str) -> list[Summary]:
    key: Any = {
        "Name:asc": lambda row: row.name,
        "Name:desc": lambda row: row.name,
        "Instances:desc": lambda row: row.instances,
        "Since:desc": lambda row: row.since or 0,
    }.get(sort)
    if key is None:
        return sorted(rows, key=lambda row: (order_of(row.state), row.name))
    return sorted(rows, key=key, reverse=sort.endswith(":desc"))


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in FILTERS}
    return visit.links.to("services", **kept, part=number if number > 1 else None)


PAGES = (PageRoute("services", show, ACTIONS),)
