"""/v1/internal/ui: what the web interface shows of the catalog."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.httpapi.core.authorization import sees_check, sees_instance, visible
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer, Query, Result, bad_request, not_found, server_error
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CatalogService, flatten
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.state.catalog import nodes, services, summaries
from pyconsul.agent.state.catalog.summaries import NodeInfo
from pyconsul.agent.state.schemas import NODES, SERVICES

DEPENDS = ("nodes", "services", "checks")


def list_nodes(context: Context, request: Request) -> Query:
    """The nodes with their instances and checks."""
    select = filtering(request, NodeInfo)
    view = context.view

    def read() -> Result:
        caller = request.caller
        kept, filtered = visible(caller, nodes.all_nodes(view), lambda node: caller.level("node", node.node) >= READ)
        found = [_info(context, caller, node) for node in kept]
        filtered = filtered or any(hidden for _, hidden in found)
        rows = [_without_empty_tags(info) for info in select([info for info, _ in found])]
        return Result(rows, view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

    return Query(read)


def show_node(context: Context, request: Request) -> Query:
    """One node with its instances and checks."""
    name = request.tail
    if not name:
        raise bad_request("Missing node name")
    view = context.view

    def read() -> Result:
        caller = request.caller
        node, index = view[NODES].get(name.lower()), view.index_of(*DEPENDS)
        hidden = node is not None and caller.level("node", node.node) < READ
        if node is None or hidden:
            filtered = hidden and not caller.anonymous
            return Result(b"", index, DEPENDS, status=404, headers=(), filtered=filtered)
        info, filtered = _info(context, caller, node)
        return Result(_without_empty_tags(info), index, DEPENDS, filtered=filtered)

    return Query(read)


def _info(context: Context, caller: Authorizer, node: Node) -> tuple[NodeInfo, bool]:
    """A node with those of its instances and checks that the caller may see, and whether the caller is told of more."""
    info = summaries.node_info(context.view, node)
    kept, fewer_services = visible(caller, info.services, lambda row: caller.level("service", row.service) >= READ)
    checks, fewer_checks = visible(caller, info.checks, lambda row: sees_check(caller, row.node, row.service_name))
    return replace(info, services=kept, checks=checks), fewer_services or fewer_checks


def _without_empty_tags(info: NodeInfo) -> dict[str, Any]:
    """A node as these endpoints show it: empty lists of tags are null."""
    row: dict[str, Any] = to_builtins(info)
    for service in row["Services"]:
        service["Tags"] = service["Tags"] or None
    for check in row["Checks"]:
        check["ServiceTags"] = check["ServiceTags"] or None
    return row


def list_services(context: Context, request: Request) -> Query:
    """The services with their states counted; `?filter` selects instances, by the fields of the catalog."""
    select = filtering(request, CatalogService)
    view = context.view

    def read() -> Result:
        caller = request.caller
        found = sorted(view[SERVICES], key=SERVICES.key)
        found, filtered = visible(caller, found, lambda row: sees_instance(caller, row.node, row.service.service))
        if "filter" in request:
            chosen = select([flatten(*pair) for pair in services.with_nodes(view, found)])
            kept = {(row.node.lower(), row.service_id) for row in chosen}
            found = [row for row in found if SERVICES.key(row) in kept]
        by_name: dict[str, list[ServiceInstance]] = {}
        for row in found:
            by_name.setdefault(row.service.service, []).append(row)
        datacenter = context.config.datacenter
        rows = [summaries.service_summary(view, name, datacenter, by_name[name]) for name in sorted(by_name)]
        return Result(rows, view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

    return Query(read)


def exported_services(context: Context, request: Request) -> Query:
    """The services that a peer is given: none, since there are no peerings."""
    if not request.params.get("peer"):
        raise server_error("must provide PeerName")
    return Query(lambda: Result([], context.view.index_of("services"), ("services",)))


def metrics_proxy(context: Context, request: Request) -> Answer:
    """A proxy to a metrics provider, which is not supported."""
    raise not_found("Metrics proxy is not enabled")


def show_overview(context: Context, request: Request) -> Query:
    """How much of everything is in which state."""
    view = context.view
    return Query(lambda: Result(summaries.overview(view), view.index_of(*DEPENDS), DEPENDS))


ROUTES = (
    Route("/v1/internal/ui/nodes", {"GET": Read(list_nodes, "filter node")}, meta_on_error=True),
    Route("/v1/internal/ui/exported-services", {"GET": Read(exported_services, "open")}, meta_on_error=True),
    Route("/v1/internal/ui/metrics-proxy/", {"GET": Read(metrics_proxy, "open")}),
    Route("/v1/internal/ui/node/", {"GET": Read(show_node, "filter node")}, meta_on_error=True),
    Route("/v1/internal/ui/services", {"GET": Read(list_services, "filter service")}, meta_on_error=True),
    Route("/v1/internal/ui/catalog-overview", {"GET": Read(show_overview, "operator:read")}, meta_on_error=True),
)
