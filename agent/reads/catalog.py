"""Reads of the catalog: nodes, services, instances."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.catalog import CatalogService, flatten
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.reads.contract import Result, Select, all_rows
from pyconsul.agent.reads.visibility import sees_check, sees_instance, visible
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import coordinates, services
from pyconsul.agent.state.catalog import nodes as node_rows
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.sync.anti_entropy.contract import NodeRows


def nodes(
    view: View,
    caller: Authorizer,
    *,
    meta: Mapping[str, str] | None = None,
    select: Select[Node] = all_rows,
    near: str = "",
) -> Result:
    """Read the nodes, by name; `near`: by the distance from a node."""
    rows = node_rows.all_nodes(view, meta)
    rows, filtered = visible(caller, rows, lambda row: caller.level("node", row.node) >= READ)
    rows = select(rows)
    if near:
        rows = coordinates.by_distance(view, near, rows, lambda row: row.node)
    return Result(rows, view.index_of("nodes"), ("nodes",), cacheable=not near, filtered=filtered)


def service_names(
    view: View,
    caller: Authorizer,
    *,
    meta: Mapping[str, str] | None = None,
    select: Select[CatalogService] | None = None,
) -> Result:
    """Read the names of the services, each with its tags; `meta` and `select` choose instances."""
    rows: list[ServiceInstance] | None = None
    filtered = False
    if meta or select is not None or not caller.everything:
        rows = list(view[SERVICES])
        rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
        if meta:
            rows = [row for row in rows if _node_has(view, row, meta)]
        if select is not None:
            chosen = select([flatten(*pair) for pair in services.with_nodes(view, rows)])
            kept = {(row.node, row.service_id) for row in chosen}
            rows = [row for row in rows if (row.node, row.service.id) in kept]
    depends = ("services", "nodes") if rows is not None else ("services",)
    return Result(services.names_and_tags(view, rows), view.index_of(*depends), depends, filtered=filtered)


def instances(
    view: View,
    caller: Authorizer,
    name: str,
    *,
    tags: Sequence[str] = (),
    meta: Mapping[str, str] | None = None,
    select: Select[CatalogService] = all_rows,
    near: str = "",
) -> Result:
    """Read the instances of a service with their nodes."""
    rows = services.instances(view, name)
    exists = bool(rows)
    index = services.index_of_service(view, name, exists)
    if tags or meta:
        rows = [row for row in services.instances(view, name, tags) if not meta or _node_has(view, row, meta)]
    rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
    found = select([flatten(*pair) for pair in services.with_nodes(view, rows)])
    if near:
        found = coordinates.by_distance(view, near, found, lambda row: row.node)
    cacheable = exists and not near
    return Result(found, index, topics.watching(name, exists), cacheable=cacheable, filtered=filtered)


def node_with_services(view: View, caller: Authorizer, name: str, select: Select[NodeService] = all_rows) -> Result:
    """Read a node and its instances by ID, as a pair; None when the caller sees no such node."""
    depends = ("nodes", "services")
    node, index = view[NODES].get(name.lower()), view.index_of(*depends)
    if node is None:
        return Result(None, index, depends)
    if caller.level("node", node.node) < READ:
        return Result(None, index, depends, filtered=not caller.anonymous)
    rows = services.of_node(view, node.node)
    rows, filtered = visible(caller, rows, lambda row: caller.level("service", row.service) >= READ)
    return Result((node, select(rows)), index, depends, filtered=filtered)


def registrations(view: View, caller: Authorizer, name: str) -> Result:
    """Read the visible rows of a node as its agent compares them, and the number of all nodes.  Raises PermissionDenied."""
    caller.require("node", READ, name)
    key, depends = name.lower(), ("nodes", "services", "checks")
    services = [row.service for row in view[SERVICES].by("node", key)]
    checks = sorted(view[CHECKS].by("node", key), key=CHECKS.key)
    rows = NodeRows(
        view[NODES].get(key),
        {row.id: row for row in services if caller.level("service", row.service) >= READ},
        {row.check_id: row for row in checks if sees_check(caller, row.node, row.service_name)},
        len(view[NODES]),
    )
    return Result(rows, view.index_of(*depends), depends, cacheable=False)


def node_at(view: View, caller: Authorizer, address: str) -> Node | None:
    """Return the first visible node, by name, with an address."""
    found = [row for row in view[NODES] if is_same_address(row.address, address)]
    return min((row for row in found if caller.level("node", row.node) >= READ), key=lambda row: row.node, default=None)


def is_same_address(text: str, wanted: str) -> bool:
    """Return whether two texts are the same IP address; IPv6 may be written in several ways."""
    if text == wanted:
        return True
    if ":" not in text or ":" not in wanted:
        return False
    packed = _packed(text)
    return packed is not None and packed == _packed(wanted)


@lru_cache(maxsize=1 << 12)
def _packed(text: str) -> bytes | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text).packed
    except ValueError:
        return None


def service_at(view: View, caller: Authorizer, address: str) -> ServiceInstance | None:
    """Return the first visible instance with an address of its own, by node and ID."""
    rows = [row for row in view[SERVICES] if row.service.address == address]
    rows = [row for row in rows if sees_instance(caller, row.node, row.service.service)]
    return min(rows, key=SERVICES.key, default=None)


def _node_has(view: View, row: ServiceInstance, meta: Mapping[str, str]) -> bool:
    node = view[NODES].get(row.node.lower())
    return node is not None and node_rows.has_meta(node.meta, meta)
