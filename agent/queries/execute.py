"""Executes prepared queries: which instances they find, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import CRITICAL, PASSING, HealthCheck
from pyconsul.agent.model.query import PreparedQuery, ServiceQuery
from pyconsul.agent.queries.template import render
from pyconsul.agent.state import queries
from pyconsul.agent.state.catalog import coordinates, services
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import NODES

AGENT = "_agent"  # as `near`: this agent's node
ADDRESS = "_ip"  # as `near`: the node with the caller's address
FIRST_OF = 10  # maximum position of the node itself at which it is still moved to the front


@dataclass(frozen=True, slots=True)
class Asker:
    """Origin of a query: this agent's node, the caller's IP address, and the node to sort by distance from, if any."""

    agent: str
    address: str = ""
    near: str = ""


def resolve(view: View, asked: str) -> PreparedQuery | None:
    """Return the query that answers an ID or a name, a template filled in.  Raises Refused."""
    query = queries.find(view, asked)
    return render(query, asked) if query is not None and query.template.type else query


def execute(view: View, query: PreparedQuery, asker: Asker, chance: Callable[[], float]) -> list[CheckServiceNode]:
    """Return the result of a query, shuffled by `chance` (numbers from 0 to 1), or sorted by distance where requested and known."""
    found = matching(view, query.service)
    if len(found) > 1:
        found.sort(key=lambda _: chance())
    near = near_node(view, query.service, asker)
    return _near_first(view, near, found) if near else found


def matching(view: View, wanted: ServiceQuery) -> list[CheckServiceNode]:
    """Return the instances that a query allows; there are none that belong to a mesh."""
    if wanted.connect or wanted.peer:
        return []
    keep = _tag_filter(wanted.tags or ())
    return [
        one
        for one in services.with_checks(view, services.instances(view, wanted.service))
        if _healthy(one.checks, wanted)
        and _has(one.node.meta, wanted.node_meta)
        and _has(one.service.meta, wanted.service_meta)
        and keep(one.service.tags)
    ]


def _healthy(checks: Sequence[HealthCheck], wanted: ServiceQuery) -> bool:
    ignored = wanted.ignore_check_ids or ()
    return not any(
        check.status == CRITICAL or (wanted.only_passing and check.status != PASSING)
        for check in checks
        if check.check_id not in ignored
    )


def _has(meta: Mapping[str, str] | None, wanted: Mapping[str, str] | None) -> bool:
    return all((meta or {}).get(key) == value for key, value in (wanted or {}).items())


def _tag_filter(tags: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Tags compare without case; `!tag` must not be there."""
    lower = [tag.lower() for tag in tags]
    must = {tag for tag in lower if not tag.startswith("!")}
    must_not = {tag[1:] for tag in lower if tag.startswith("!")}

    def keep(given: Sequence[str]) -> bool:
        have = {tag.lower() for tag in given}
        return must <= have and have.isdisjoint(must_not)

    return keep


def near_node(view: View, wanted: ServiceQuery, asker: Asker) -> str:
    """Return the node whose distance counts, or "" for none; the caller's choice takes precedence over the query's."""
    near = asker.near or wanted.near
    if near == AGENT:
        return asker.agent
    if near == ADDRESS:
        return next((node.node for node in view[NODES] if asker.address and node.address == asker.address), "")
    return near


def _near_first(view: View, near: str, found: list[CheckServiceNode]) -> list[CheckServiceNode]:
    """By distance, and the node itself before the others, even where no distance is known."""
    ordered = coordinates.by_distance(view, near, found, lambda one: one.node.node)
    for position, one in enumerate(ordered[:FIRST_OF]):
        if one.node.node == near:
            ordered[0], ordered[position] = ordered[position], ordered[0]
            break
    return ordered
