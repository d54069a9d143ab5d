"""Reads of the parts of the catalog that other agents hold to answer DNS: a service, a node, or an IP address."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.reads.catalog import is_same_address
from pyconsul.agent.reads.visibility import sees_instance
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import services
from pyconsul.agent.state.contract import Key, View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES

#: Rows by table and primary key.
PartRows: TypeAlias = dict[tuple[str, Key], Any]
PART_KINDS = ("service", "node", "address")


class PartChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of a part: rows that are added or replaced, and the primary keys of rows that are gone.

    full: the rows are all that there are.  age_ms: how long the server has not heard of the leader, up to this change.
    """

    full: bool = False
    nodes: list[Node] = []
    services: list[ServiceInstance] = []
    checks: list[HealthCheck] = []
    gone_nodes: list[str] = []
    gone_services: list[tuple[str, str]] = []
    gone_checks: list[tuple[str, str]] = []
    age_ms: int = 0


def part_rows(view: View, caller: Authorizer, kind: str, name: str) -> PartRows:
    """Return the visible rows of a part, as DNS answers of a server with the caller's token would show them."""
    if kind == "service":
        return _of_service(view, caller, name)
    if kind == "node":
        node = view[NODES].get(name.lower())
        visible = node is not None and caller.level("node", node.node) >= READ
        return {(NODES.name, name.lower()): node} if visible else {}
    nodes = [row for row in view[NODES] if is_same_address(row.address, name)]
    found: PartRows = {(NODES.name, NODES.key(row)): row for row in nodes if caller.level("node", row.node) >= READ}
    for row in view[SERVICES]:
        if row.service.address == name and sees_instance(caller, row.node, row.service.service):
            found[SERVICES.name, SERVICES.key(row)] = row
    return found


def _of_service(view: View, caller: Authorizer, name: str) -> PartRows:
    found: PartRows = {}
    if caller.level("service", name) < READ:
        return found
    rows = [row for row in services.instances(view, name) if caller.level("node", row.node) >= READ]
    found.update(((SERVICES.name, SERVICES.key(row)), row) for row in rows)
    for one in services.with_checks(view, rows):
        found[NODES.name, NODES.key(one.node)] = one.node
        for check in one.checks:
            found[CHECKS.name, CHECKS.key(check)] = check
    return found


def part_topics(kind: str, name: str) -> tuple[str, ...]:
    """Return the topics that a part changes with."""
    if kind == "service":
        return (topics.of_service(name),)
    return ("nodes",) if kind == "node" else ("nodes", "services")


def whole_part(rows: PartRows) -> PartChange:
    """Return a change that consists of all rows."""
    return _change(rows, full=True)


def part_change(old: PartRows, new: PartRows) -> PartChange | None:
    """Return the change from some rows to others; None if there is none."""
    put = {key: row for key, row in new.items() if old.get(key) != row}
    gone = [key for key in old if key not in new]
    return _change(put, gone) if put or gone else None


def _change(rows: PartRows, gone: list[tuple[str, Key]] | None = None, *, full: bool = False) -> PartChange:
    def of(table: str) -> list[Any]:
        return [row for (name, _), row in rows.items() if name == table]

    def keys(table: str) -> list[Any]:
        return [key for name, key in gone or () if name == table]

    return PartChange(
        full=full,
        nodes=of(NODES.name),
        services=of(SERVICES.name),
        checks=of(CHECKS.name),
        gone_nodes=keys(NODES.name),
        gone_services=keys(SERVICES.name),
        gone_checks=keys(CHECKS.name),
    )
