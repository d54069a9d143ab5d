"""/v1/catalog: https://developer.hashicorp.com/consul/api-docs/catalog"""

from __future__ import annotations

from pyconsul.agent.httpapi.answer import Answer, Query, Result, json_answer
from pyconsul.agent.httpapi.context import Context
from pyconsul.agent.httpapi.errors import bad_request
from pyconsul.agent.httpapi.near import Order
from pyconsul.agent.httpapi.request import Request
from pyconsul.agent.httpapi.select import filtering, node_meta
from pyconsul.agent.model.catalog import CatalogService, NodeServiceList, NodeServices, flatten
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.state import nodes, services, topics
from pyconsul.agent.state.schemas import NODES, SERVICES


def list_datacenters(context: Context, request: Request) -> Answer:
    """The datacenters that are known: this one."""
    return json_answer([context.config.datacenter])


def list_nodes(context: Context, request: Request) -> Query:
    """The nodes, by name."""
    meta = node_meta(request)
    select = filtering(request, Node)
    order = Order[Node](context, request, lambda node: node.node)
    view = context.view

    def read() -> Result:
        rows = order(select(nodes.all_nodes(view, meta)))
        return Result(rows, view.index_of("nodes"), ("nodes",), cacheable=order.keeps)

    return Query(read)


def list_services(context: Context, request: Request) -> Query:
    """The services' names, each with its tags."""
    meta = node_meta(request)
    select = filtering(request, CatalogService)
    view = context.view

    def read() -> Result:
        rows: list[ServiceInstance] | None = None
        if meta or "filter" in request:
            rows = list(view[SERVICES])
            if meta:
                rows = [row for row in rows if _node_has(context, row, meta)]
            if "filter" in request:
                kept = {
                    (s.node, s.service_id) for s in select([flatten(*pair) for pair in services.with_nodes(view, rows)])
                }
                rows = [row for row in rows if (row.node, row.service.id) in kept]
        depends = ("services", "nodes") if rows is not None else ("services",)
        return Result(services.names_and_tags(view, rows), view.index_of(*depends), depends)

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
        found = order(select([flatten(*pair) for pair in services.with_nodes(view, rows)]))
        return Result(found, index, topics.watching(name, exists), cacheable=exists and order.keeps)

    return Query(read)


def show_node(context: Context, request: Request) -> Query:
    """A node and its instances, by their IDs; null when it is not there."""
    name = _node_name(request)
    select = filtering(request, NodeService)
    view = context.view

    def read() -> Result:
        node = view[NODES].get(name.lower())
        found = None
        if node is not None:
            found = NodeServices(node, {service.id: service for service in select(services.of_node(view, name))})
        return Result(found, view.index_of("nodes", "services"), ("nodes", "services"))

    return Query(read)


def list_node_services(context: Context, request: Request) -> Query:
    """A node and its instances, as a list."""
    name = _node_name(request)
    select = filtering(request, NodeService)
    view = context.view

    def read() -> Result:
        node = view[NODES].get(name.lower())
        found = (
            NodeServiceList(node, select(services.of_node(view, name))) if node else {"Node": None, "Services": None}
        )
        return Result(found, view.index_of("nodes", "services"), ("nodes", "services"))

    return Query(read)


def _node_name(request: Request) -> str:
    if not request.tail:
        raise bad_request("Missing node name")
    return request.tail
