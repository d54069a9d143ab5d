"""Reads that summarize the catalog, for user interfaces."""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.catalog import CatalogService, CheckServiceNode, flatten
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.reads.contract import Result, Select, all_rows
from pyconsul.agent.reads.visibility import sees_check, sees_instance, visible
from pyconsul.agent.state.catalog import nodes as node_rows
from pyconsul.agent.state.catalog import services, summaries
from pyconsul.agent.state.catalog.summaries import NodeInfo
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import NODES, SERVICES

DEPENDS = ("nodes", "services", "checks")


def nodes(view: View, caller: Authorizer, select: Select[NodeInfo] = all_rows) -> Result:
    """Read the nodes with their instances and checks."""
    rows, filtered = visible(caller, node_rows.all_nodes(view), lambda row: caller.level("node", row.node) >= READ)
    found = [_info(view, caller, row) for row in rows]
    filtered = filtered or any(hidden for _, hidden in found)
    return Result(select([info for info, _ in found]), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)


def node(view: View, caller: Authorizer, name: str) -> Result:
    """Read one node with its instances and checks."""
    row, index = view[NODES].get(name.lower()), view.index_of(*DEPENDS)
    hidden = row is not None and caller.level("node", row.node) < READ
    if row is None or hidden:
        return Result(b"", index, DEPENDS, found=False, filtered=hidden and not caller.anonymous)
    info, filtered = _info(view, caller, row)
    return Result(info, index, DEPENDS, filtered=filtered)


def service_summaries(
    view: View, caller: Authorizer, datacenter: str, select: Select[CatalogService] | None = None
) -> Result:
    """Read the services with the numbers of their instances by state; `select` chooses instances."""
    rows = sorted(view[SERVICES], key=SERVICES.key)
    rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
    if select is not None:
        chosen = select([flatten(*pair) for pair in services.with_nodes(view, rows)])
        kept = {(row.node.lower(), row.service_id) for row in chosen}
        rows = [row for row in rows if SERVICES.key(row) in kept]
    by_name: dict[str, list[ServiceInstance]] = {}
    for row in rows:
        by_name.setdefault(row.service.service, []).append(row)
    found = [summaries.service_summary(view, name, datacenter, by_name[name]) for name in sorted(by_name)]
    return Result(found, view.index_of(*DEPENDS), DEPENDS, filtered=filtered)


def all_instances(view: View, caller: Authorizer) -> Result:
    """Read the instances of all services with their nodes and checks, by name, node and ID."""
    rows = sorted(view[SERVICES], key=lambda row: (row.service.service, row.node, row.service.id))
    rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
    return Result(services.with_checks(view, rows), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)


def totals(view: View) -> Result:
    """Read how many nodes, services and checks are in which state."""
    return Result(summaries.overview(view), view.index_of(*DEPENDS), DEPENDS)


def _info(view: View, caller: Authorizer, row: Node) -> tuple[NodeInfo, bool]:
    """Return a node with its visible instances and checks, and whether some are hidden."""
    info = summaries.node_info(view, row)
    kept, fewer_services = visible(caller, info.services, lambda one: caller.level("service", one.service) >= READ)
    checks, fewer_checks = visible(caller, info.checks, lambda one: sees_check(caller, one.node, one.service_name))
    return replace(info, services=kept, checks=checks), fewer_services or fewer_checks


def rows_by_service(view: View, caller: Authorizer) -> Result:
    """Read the visible instances of all services, without their nodes and checks: a list for each name."""
    found: dict[str, list[ServiceInstance]] = {}
    hidden = False
    for row in view[SERVICES]:
        if caller.everything or sees_instance(caller, row.node, row.service.service):
            found.setdefault(row.service.service, []).append(row)
        else:
            hidden = True
    return Result(found, view.index_of(*DEPENDS), DEPENDS, filtered=hidden and not caller.anonymous)


def with_checks(view: View, rows: list[ServiceInstance]) -> list[CheckServiceNode]:
    """Return visible instances with their nodes and checks, by node and ID."""
    return services.with_checks(view, sorted(rows, key=SERVICES.key))


def nodes_meta_keys(view: View, caller: Authorizer) -> Result:
    """Read the keys of the metadata of the visible nodes, sorted."""
    keys = {key for row in view[NODES] if caller.level("node", row.node) >= READ for key in row.meta or ()}
    return Result(sorted(keys), view.index_of("nodes"), ("nodes",))
