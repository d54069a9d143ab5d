"""Overview: the health of the datacenter at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING, HealthCheck
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.reads import catalog, events, health
from pyconsul.agent.ui.contract import Page, PageError, PageRoute
from pyconsul.agent.ui.pages import timeline
from pyconsul.agent.ui.pages.cluster import quorum, servers
from pyconsul.agent.ui.pages.services.heartbeats import FAILING, Beat, heartbeats
from pyconsul.agent.ui.pages.services.summaries import asker, summaries, version_of
from pyconsul.agent.ui.shown import NONE, counts, order_of, size, state_of, worst
from pyconsul.agent.ui.visit import Visit

MOST_FAILING = 20
MOST_CHANGES = 60
MOST_EVENTS = 5
KEPT_S = 2.0
REFRESH_S = 5.0


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that does not pass.  service: "" for the node's own."""

    key: str
    name: str
    state: str
    node: str
    service: str
    service_id: str
    output: str
    since: float | None
    beats: Sequence[Beat]


@dataclass(frozen=True, slots=True)
class Health:
    """Numbers of services and nodes by state, and the checks that fail, those that have done so longest first."""

    services: Mapping[str, int]
    nodes: Mapping[str, int]
    failing: Sequence[HealthCheck]


async def show(visit: Visit) -> Page:
    """Show the overview."""
    found = _health(visit)
    rows, standing = await _servers(visit)
    kind, search = visit.params.get("kind", ""), visit.params.get("filter", "").strip()
    kind = kind if kind in timeline.KINDS else ""
    changes = _changes(visit)
    entries = list(timeline.entries(timeline.chosen(changes, kind, search)))
    limit = None if visit.params.get("all") else MOST_CHANGES
    logged: list[UserEvent] = visit.read(events.recent(visit.context.events, visit.caller))
    data = {
        "sentence": sentence(found.services, standing, may_hide=visit.config.acl.enabled),
        "services": found.services,
        "nodes": found.nodes,
        "failing": await _failing(visit, found.failing[:MOST_FAILING]),
        "failing_total": len(found.failing),
        "servers": rows,
        "servers_missing": "" if rows else standing,
        "groups": timeline.grouped(islice(entries, limit)),
        "changes_total": len(entries),
        "changes_all": len(changes),
        "is_cut": limit is not None and len(entries) > limit,
        "kind": kind,
        "kinds": timeline.KINDS,
        "search": search,
        "events": [(event, visit.context.events.received(event.id)) for event in reversed(logged[-MOST_EVENTS:])],
        "engine": engine(visit),
        "index": visit.view.index,
    }
    return Page("overview.html", "Overview", "overview", data, refresh_s=REFRESH_S)


def sentence(services: Mapping[str, int], standing: str, *, may_hide: bool = False) -> str:
    """Return the state of the datacenter in a sentence.  may_hide: services may be hidden from the caller."""
    total, failing, warning = sum(services.values()), services.get(CRITICAL, 0), services.get(WARNING, 0)
    if not total:
        first = "No services are registered" + (", or your token shows none" if may_hide else "")
    elif total == 1 and failing:
        first = "The one service is failing"
    elif failing:
        first = f"{failing:,} of {total:,} services {'is' if failing == 1 else 'are'} failing"
    elif warning:
        first = f"{warning:,} of {total:,} services {'has a warning' if warning == 1 else 'have warnings'}"
    else:
        first = "The one service is healthy" if total == 1 else f"All {total:,} services are healthy"
    return f"{first}; {standing[:1].lower()}{standing[1:]}" if standing else f"{first}."


def _health(visit: Visit) -> Health:
    """Return numbers and failing checks, made once for each change."""
    rows = summaries(visit)
    found: Health = visit.kept.latest(("health", *asker(visit)), version_of(visit), lambda _: _measure(visit, rows))
    return found


def _measure(visit: Visit, rows: Mapping[str, Any]) -> Health:
    line = visit.context.timeline
    failing: list[HealthCheck] = health.failing_checks(visit.view, visit.caller).value
    bad: dict[str, list[str]] = {}
    for check in failing:
        if not check.service_id:
            bad.setdefault(check.node, []).append(state_of(check))
    nodes = [_state_of_node(visit, row.node, bad) for row in catalog.nodes(visit.view, visit.caller).value]
    failing.sort(
        key=lambda check: (
            order_of(state_of(check)),
            (line.since(check.node, check.check_id) if line is not None else None) or 0.0,
            check.node,
            check.check_id,
        )
    )
    return Health(
        counts(row.state for row in rows.values()),
        counts(nodes),
        failing,
    )


def _state_of_node(visit: Visit, node: str, bad: Mapping[str, Sequence[str]]) -> str:
    """Return the state of a node's own checks; bad: the states of those that fail, by node."""
    if node in bad:
        return worst(bad[node])
    return PASSING if health.has_own_checks(visit.view, node) else NONE


async def _failing(visit: Visit, checks: Sequence[HealthCheck]) -> list[Failing]:
    """Return failing checks with their outputs and last results."""
    beats = await heartbeats(visit, [check.node for check in checks], FAILING)
    line = visit.context.timeline
    return [
        Failing(
            f"{check.node}/{check.check_id}",
            check.name,
            state_of(check),
            check.node,
            check.service_name,
            check.service_id,
            beats.output_of(check) or check.notes,
            line.since(check.node, check.check_id) if line is not None else None,
            beats.of(check.node, check.check_id),
        )
        for check in checks
    ]


async def _servers(visit: Visit) -> tuple[Sequence[servers.Row], str]:
    """Return the servers and the state of their quorum in words; without servers, why they are not shown."""
    if lacks := visit.lacks("operator:read"):
        return (), f"Servers are not shown: {lacks}."

    stale = {"stale": ""} if "stale" in visit.params else {}

    async def ask() -> Sequence[servers.Row]:
        state = await visit.get("/v1/operator/autopilot/state", **stale)
        return servers.rows_of(state["Servers"].values())

    try:
        rows = await visit.kept.shared(("servers", visit.request.token, bool(stale)), KEPT_S, ask)
    except PageError as error:
        return (), f"The servers are not known: {error.reason or error.title}."
    return rows, quorum.summary([servers.voting_of(row) for row in rows])


def _changes(visit: Visit) -> list[Any]:
    line = visit.context.timeline
    if line is None:
        return []
    found: list[Any] = visit.read(events.changes(visit.view, line, visit.caller))
    return found


def engine(visit: Visit) -> str:
    """Return where the state is kept, and how large it is there."""
    config = visit.config
    figures = visit.context.cluster.figures() if visit.context.cluster is not None else {}
    if figures:
        used, on_disk, limit = (size(int(figures[f"etcd.{name}_bytes"])) for name in ("used", "size", "quota"))
        return f"etcd: {used} used, {on_disk} on disk, at most {limit}"
    if config.dev_mode or not config.data_dir:
        return "memory only: everything is lost when the agent stops"
    files = Path(config.data_dir).glob("raft/state.db*")
    return f"SQLite: {size(sum(_bytes(file) for file in files))} on disk"


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


PAGES = (PageRoute("", show), PageRoute("overview", show), PageRoute("overview/server-status", show))
