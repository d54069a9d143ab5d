"""/v1/catalog: https://developer.hashicorp.com/consul/api-docs/catalog"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering, near_node, node_meta
from pyconsul.agent.httpapi.core.rendering import MISS
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Query, Response, bad_request, encode
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CatalogService, NodeServiceList, NodeServices
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.reads import catalog as reads
from pyconsul.agent.reads.contract import Result


def list_datacenters(context: Context, request: Request) -> Response:
    """Return the known datacenters: this one."""
    headers = (*JSON, MISS) if "cached" in request else JSON
    return Response(200, encode([context.config.datacenter]), headers)


def list_nodes(context: Context, request: Request) -> Query:
    """Return the nodes, by name."""
    meta, select, near = node_meta(request), filtering(request, Node), near_node(context, request)
    view = context.view
    return Query(lambda: reads.nodes(view, request.caller, meta=meta, select=select, near=near))


def list_services(context: Context, request: Request) -> Query:
    """Return the names of the services, each with its tags."""
    meta, view = node_meta(request), context.view
    compiled = filtering(request, CatalogService)
    select = compiled if "filter" in request else None
    return Query(lambda: reads.service_names(view, request.caller, meta=meta, select=select))


def list_instances(context: Context, request: Request) -> Query:
    """Return the instances of a service."""
    name = request.tail
    if not name:
        raise bad_request("Missing service name")
    tags, meta = request.multi("tag"), node_meta(request)
    select, near, view = filtering(request, CatalogService), near_node(context, request), context.view
    return Query(lambda: reads.instances(view, request.caller, name, tags=tags, meta=meta, select=select, near=near))


def show_node(context: Context, request: Request) -> Query:
    """Return a node and its instances, by their IDs; null when it does not exist."""
    return _node(context, request, lambda node, rows: NodeServices(node, {row.id: row for row in rows}), None)


def list_node_services(context: Context, request: Request) -> Query:
    """Return a node and its instances, as a list."""
    return _node(context, request, NodeServiceList, {"Node": None, "Services": None})


def _node(context: Context, request: Request, shown: Callable[[Node, list[NodeService]], Any], missing: Any) -> Query:
    name = request.tail
    if not name:
        raise bad_request("Missing node name")
    select, view = filtering(request, NodeService), context.view

    def read() -> Result:
        result = reads.node_with_services(view, request.caller, name, select)
        return result.shown_as(shown(*result.value) if result.value is not None else missing)

    return Query(read)


ROUTES = (
    Route(
        "/v1/catalog/datacenters", {"GET": Read(list_datacenters, "open")}, anywhere=True, stateless=True, cached=True
    ),
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
