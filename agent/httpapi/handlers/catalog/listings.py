"""/v1/catalog: https://developer.hashicorp.com/consul/api-docs/catalog"""

from __future__ import annotations

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.httpapi.core.authorization import sees_instance, visible
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import Order, filtering, node_meta
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer, Query, Result, bad_request, json_answer
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CatalogService, NodeServiceList, NodeServices, flatten
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import nodes, services
from pyconsul.agent.state.schemas import NODES, SERVICES


def list_datacenters(context: Context, request: Request) -> Answer:
    """The datacenters that are known: this one."""
    answer = json_answer([context.config.datacenter])
    if "cached" in request:
        answer.headers = (*answer.headers, (b"X-Cache", b"MISS"))
    return answer


def list_nodes(context: Context, request: Request) -> Query:
    """The nodes, by name."""
    meta = node_meta(request)
    select = filtering(request, Node)
    order = Order[Node](context, request, lambda node: node.node)
    view = context.view

    def read() -> Result:
        caller = request.caller
        rows, filtered = visible(
            caller, nodes.all_nodes(view, meta), lambda row: caller.level("node", row.node) >= READ
        )
        rows = order(select(rows))
        return Result(rows, view.index_of("nodes"), ("nodes",), cacheable=order.keeps, filtered=filtered)

    return Query(read)


def list_services(context: Context, request: Request) -> Query:
    """The services' names, each with its tags."""
    meta = node_meta(request)
    select = filtering(request, CatalogService)
    view = context.view

    def read() -> Result:
        rows: list[ServiceInstance] | None = None
        caller, filtered = request.caller, False
        if meta or "filter" in request or not caller.everything:
            rows = list(view[SERVICES])
            rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
            if meta:
                rows = [row for row in rows if _node_has(context, row, meta)]
            if "filter" in request:
                kept = {
                    (s.node, s.service_id) for s in select([flatten(*pair) for pair in services.with_nodes(view, rows)])
                }
                rows = [row for row in rows if (row.node, row.service.id) in kept]
        depends = ("services", "nodes") if rows is not None else ("services",)
        return Result(services.names_and_tags(view, rows), view.index_of(*depends), depends, filtered=filtered)

    return Query(read)


def _node_has(context: Context, row: ServiceInstance, meta: dict[str, str]) -> bool:
    node = context.view[NODES].get(row.node.lower())
    return node is not None and nodes.has_meta(node.meta, meta)


def list_instances(context: Context, request: Request) -> Query:
    """The instances of a service."""
    name = request.tail
    if not name:
        raise bad_request("Missing service name")
    tags, meta = request.multi("tag"), node_meta(request)
    select = filtering(request, CatalogService)
    order = Order[CatalogService](context, request, lambda instance: instance.node)
    view = context.view

    def read() -> Result:
        rows = services.instances(view, name)
        index = services.index_of_service(view, name, bool(rows))
        exists = bool(rows)
        if tags or meta:
            rows = [row for row in services.instances(view, name, tags) if not meta or _node_has(context, row, meta)]
        caller = request.caller
        rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
        found = order(select([flatten(*pair) for pair in services.with_nodes(view, rows)]))
        cacheable = exists and order.keeps
        return Result(found, index, topics.watching(name, exists), cacheable=cacheable, filtered=filtered)

    return Query(read)


def show_node(context: Context, request: Request) -> Query:
    """A node and its instances, by their IDs; null when it is not there."""
    _node_name(request)
    select = filtering(request, NodeService)
    view = context.view

    def read() -> Result:
        node, rows, filtered = _node_with_services(context, request)
        found = None
        if node is not None:
            found = NodeServices(node, {service.id: service for service in select(rows)})
        return Result(found, view.index_of("nodes", "services"), ("nodes", "services"), filtered=filtered)

    return Query(read)


def list_node_services(context: Context, request: Request) -> Query:
    """A node and its instances, as a list."""
    _node_name(request)
    select = filtering(request, NodeService)
    view = context.view

    def read() -> Result:
        node, rows, filtered = _node_with_services(context, request)
        found = NodeServiceList(node, select(rows)) if node else {"Node": None, "Services": None}
        return Result(found, view.index_of("nodes", "services"), ("nodes", "services"), filtered=filtered)

    return Query(read)


def _node_with_services(context: Context, request: Request) -> tuple[Node | None, list[NodeService], bool]:
    """A node with those of its instances that the caller may see, and whether there is more."""
    node = context.view[NODES].get(request.tail.lower())
    caller = request.caller
    if node is None:
        return None, [], False
    if caller.level("node", node.node) < READ:
        return None, [], not caller.anonymous
    rows = services.of_node(context.view, node.node)
    return node, *visible(caller, rows, lambda row: caller.level("service", row.service) >= READ)


def _node_name(request: Request) -> str:
    if not request.tail:
        raise bad_request("Missing node name")
    return request.tail


ROUTES = (
    Route("/v1/catalog/datacenters", {"GET": Read(list_datacenters, "open")}, anywhere=True),
    Route(
        "/v1/catalog/nodes",
        {"GET": Read(list_nodes, "filter node")},
        consistency=True,
        meta_on_error=True,
        watched=True,
    ),
    Route(
        "/v1/catalog/services",
        {"GET": Read(list_services, "filter service")},
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
    ),
    Route(
        "/v1/catalog/service/",
        {"GET": Read(list_instances, "filter service")},
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
    ),
    Route(
        "/v1/catalog/node/", {"GET": Read(show_node, "filter node")}, consistency=True, meta_on_error=True, watched=True
    ),
    Route(
        "/v1/catalog/node-services/",
        {"GET": Read(list_node_services, "filter node")},
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
    ),
)
