"""Services in a line each: state, instances, the reason of a failure.  Made again only for services that have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyconsul.agent.events.timeline import Timeline
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, WARNING, HealthCheck
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.reads import overview
from pyconsul.agent.state import topics
from pyconsul.agent.ui.pages.services.heartbeats import FAILING, Heartbeats, heartbeats
from pyconsul.agent.ui.shown import first_line, state_of, worst
from pyconsul.agent.ui.visit import Visit

WORDS = {CRITICAL: "down", WARNING: "with a warning", MAINTENANCE: "in maintenance"}


@dataclass(frozen=True, slots=True)
class Summary:
    """A service.

    failing: the number of its instances that are in its state, 0 if that is good; word: for them.
    reason: the output of the check that has failed longest, "" while the catalog does not show it; since: Unix seconds, None for
    longer than the agent remembers.   check: node, ID and name of that check.
    """

    name: str
    state: str
    instances: int
    failing: int
    word: str
    tags: tuple[str, ...]
    nodes: frozenset[str]
    meta: frozenset[tuple[str, str]]
    reason: str
    since: float | None
    check: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, slots=True)
class Summaries:
    """All services of a caller, by name, with the index of each when it was summarized."""

    restored: object
    rows: Mapping[str, Summary]
    versions: Mapping[str, tuple[int | None, int]]


def version_of(visit: Visit) -> tuple[object, ...]:
    """Return what changes with everything that summaries show, or with the caller."""
    view = visit.view
    return (view.index_of(*overview.DEPENDS), view.restored)


def asker(visit: Visit) -> tuple[object, ...]:
    """Return what two callers share who see the same."""
    return (visit.caller.rights, visit.caller.everything, visit.caller.default)


def summaries(visit: Visit) -> Mapping[str, Summary]:
    """Return all services that the caller may see, by name."""
    visit.depend(overview.DEPENDS)
    kept = visit.kept.latest(("services", *asker(visit)), version_of(visit), lambda old: _summarize(visit, old))
    return kept.rows


def _summarize(visit: Visit, old: Summaries | None) -> Summaries:
    view, timeline = visit.view, visit.context.timeline
    by_name: Mapping[str, list[ServiceInstance]] = overview.rows_by_service(view, visit.caller).value
    if old is not None and old.restored != view.restored:
        old = None
    rows: dict[str, Summary] = {}
    versions: dict[str, tuple[int | None, int]] = {}
    for name in sorted(by_name):
        instances = by_name[name]
        version = versions[name] = (view.last_index(topics.of_service(name)), len(instances))
        if old is not None and version[0] is not None and old.versions.get(name) == version:
            rows[name] = old.rows[name]
        else:
            rows[name] = summary(name, overview.with_checks(view, instances), timeline)
    return Summaries(view.restored, rows, versions)


def summary(name: str, group: Sequence[CheckServiceNode], timeline: Timeline | None) -> Summary:
    """Return the summary of a service from some of its instances."""
    states = [worst(map(state_of, one.checks)) for one in group]
    state = worst(states)
    is_bad = state in WORDS
    oldest = _longest(group, state, timeline) if is_bad else None
    return Summary(
        name,
        state,
        len(group),
        states.count(state) if is_bad else 0,
        WORDS.get(state, ""),
        tuple(sorted({tag for one in group for tag in one.service.tags})),
        frozenset(one.node.node for one in group),
        frozenset(pair for one in group for pair in (one.service.meta or {}).items()),
        first_line(oldest.output or oldest.notes) if oldest is not None else "",
        _began(oldest, timeline) or None if oldest is not None else None,
        (oldest.node, oldest.check_id, oldest.name) if oldest is not None else ("", "", ""),
    )


def _longest(group: Sequence[CheckServiceNode], state: str, timeline: Timeline | None) -> HealthCheck:
    """Return the check that has been in a state longest."""
    failing = [check for one in group for check in one.checks if state_of(check) == state]
    return min(failing, key=lambda check: _began(check, timeline))


def _began(check: HealthCheck, timeline: Timeline | None) -> float:
    """Return since when a check has been in its state; 0 for longer than the agent remembers."""
    return (timeline.since(check.node, check.check_id) if timeline is not None else None) or 0.0


async def reasons(visit: Visit, rows: Sequence[Summary]) -> Mapping[str, str]:
    """Return the reasons of services: where the catalog does not show an output yet, from the agents that run the checks."""
    late = [row for row in rows if row.failing and not row.reason]
    beats = await heartbeats(visit, [row.check[0] for row in late], FAILING) if late else Heartbeats()
    found = {row.name: row.reason for row in rows}
    for row in late:
        node, check_id, name = row.check
        results = beats.of(node, check_id)
        found[row.name] = first_line(results[-1].output) if results and results[-1].output else name
    return found
