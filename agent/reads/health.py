"""Reads of health: instances with their checks, and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING, HealthCheck
from pyconsul.agent.reads.contract import Result, Select, all_rows
from pyconsul.agent.reads.visibility import sees_check, sees_instance, visible
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import checks, coordinates, nodes, services
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES


def instances(
    view: View,
    caller: Authorizer,
    name: str,
    *,
    tags: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
    passing: bool = False,
    select: Select[CheckServiceNode] = all_rows,
    near: str = "",
) -> Result:
    """Read the instances of a service with their nodes and checks.

    tags: all of which an instance must have.  meta: of its node.  passing: only healthy ones.  near: a node whose distance
    orders them.
    """
    rows = services.instances(view, name, tags)
    exists = bool(rows) if not tags else bool(services.instances(view, name))
    rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
    found = services.with_checks(view, rows)
    if meta:
        found = [one for one in found if nodes.has_meta(one.node.meta, meta)]
    if passing:
        found = [one for one in found if all(check.status == PASSING for check in one.checks)]
    found = select(found)
    if near:
        found = coordinates.by_distance(view, near, found, lambda one: one.node.node)
    index = services.index_of_service(view, name, exists)
    cacheable = exists and not near
    return Result(found, index, topics.watching(name, exists), cacheable=cacheable, filtered=filtered)


def serving_instances(
    view: View, caller: Authorizer, name: str, only_passing: bool = False
) -> Sequence[CheckServiceNode]:
    """Read the visible instances that receive traffic: without a critical check; with `only_passing` all checks pass."""
    if caller.level("service", name) < READ:
        return ()
    rows = services.instances(view, name)
    found = services.with_checks(view, rows) if rows else ()
    return [
        one
        for one in found
        if is_serving(one.checks, only_passing) and (caller.everything or caller.level("node", one.node.node) >= READ)
    ]


def is_serving(found: Sequence[HealthCheck], only_passing: bool) -> bool:
    """Return whether an instance with these checks receives traffic."""
    return all(check.status != CRITICAL and (check.status == PASSING or not only_passing) for check in found)


def checks_of_node(
    view: View,
    caller: Authorizer,
    node: str,
    *,
    meta: Mapping[str, str] | None = None,
    select: Select[HealthCheck] = all_rows,
    near: str = "",
) -> Result:
    """Read the checks of a node and its services."""
    return _checks(view, caller, checks.of_node(view, node), topics.checks_of("node", node), meta, select, near)


def checks_of_service(
    view: View,
    caller: Authorizer,
    name: str,
    *,
    meta: Mapping[str, str] | None = None,
    select: Select[HealthCheck] = all_rows,
    near: str = "",
) -> Result:
    """Read the checks of all instances of a service."""
    return _checks(view, caller, checks.of_service(view, name), topics.checks_of("service", name), meta, select, near)


def checks_in_state(
    view: View,
    caller: Authorizer,
    state: str,
    *,
    meta: Mapping[str, str] | None = None,
    select: Select[HealthCheck] = all_rows,
    near: str = "",
) -> Result:
    """Read the checks in a state; "any" for all checks, "" for none."""
    topic = topics.checks_of("state", state) if state not in ("", "any") else "checks"
    rows = checks.in_state(view, state) if state else []
    return _checks(view, caller, rows, topic, meta, select, near)


def failing_checks(view: View, caller: Authorizer) -> Result:
    """Read the checks that do not pass, by node and ID, the critical ones first."""
    rows = [check for state in (CRITICAL, WARNING) for check in checks.in_state(view, state)]
    rows, filtered = visible(caller, rows, lambda row: sees_check(caller, row.node, row.service_name))
    return Result(rows, view.index_of("checks"), ("checks",), filtered=filtered)


def has_own_checks(view: View, node: str) -> bool:
    """Return whether a visible node has checks that belong to none of its services."""
    return bool(view[CHECKS].by("instance", (node.lower(), "")))


def _checks(
    view: View,
    caller: Authorizer,
    rows: list[HealthCheck],
    topic: str,
    meta: Mapping[str, str] | None,
    select: Select[HealthCheck],
    near: str,
) -> Result:
    """Return checks, which change with `topic`; their index is that of all checks, as Consul's is."""
    depends = (topic, "nodes") if meta else (topic,)
    rows, filtered = visible(caller, rows, lambda row: sees_check(caller, row.node, row.service_name))
    if meta:
        rows = [row for row in rows if (node := view[NODES].get(row.node.lower())) and nodes.has_meta(node.meta, meta)]
    rows = select(rows)
    if near:
        rows = coordinates.by_distance(view, near, rows, lambda row: row.node)
    index = view.index_of("checks", *depends[1:])
    return Result(rows, index, depends, cacheable=not near and topic == "checks", filtered=filtered)
