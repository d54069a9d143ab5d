"""/v1/internal/ui: summaries of the catalog for the web interface."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Result, bad_request, server_error
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CatalogService
from pyconsul.agent.reads import overview as reads
from pyconsul.agent.state.catalog.summaries import NodeInfo


def list_nodes(context: Context, request: Request) -> Query:
    """Return the nodes with their instances and checks."""
    select, view = filtering(request, NodeInfo), context.view

    def read() -> Result:
        result = reads.nodes(view, request.caller, select)
        return result.shown_as([_without_empty_tags(info) for info in result.value])

    return Query(read)


def show_node(context: Context, request: Request) -> Query:
    """Return one node with its instances and checks."""
    name, view = request.tail, context.view
    if not name:
        raise bad_request("Missing node name")

    def read() -> Result:
        result = reads.node(view, request.caller, name)
        return result.shown_as(_without_empty_tags(result.value)) if result.found else result

    return Query(read)


def _without_empty_tags(info: NodeInfo) -> dict[str, Any]:
    """Return a node as these endpoints show it: empty lists of tags are null."""
    row: dict[str, Any] = to_builtins(info)
    for service in row["Services"]:
        service["Tags"] = service["Tags"] or None
    for check in row["Checks"]:
        check["ServiceTags"] = check["ServiceTags"] or None
    return row


def list_services(context: Context, request: Request) -> Query:
    """Return the services with the numbers of their instances by state; `?filter` selects instances, as in the catalog."""
    compiled, view = filtering(request, CatalogService), context.view
    select = compiled if "filter" in request else None
    return Query(lambda: reads.service_summaries(view, request.caller, context.config.datacenter, select))


def exported_services(context: Context, request: Request) -> Query:
    """Return the services exported to a peer: none, since no peerings exist."""
    if not request.params.get("peer"):
        raise server_error("must provide PeerName")
    return Query(lambda: Result([], context.view.index_of("services"), ("services",)))


def show_overview(context: Context, request: Request) -> Query:
    """Return how many nodes, services and checks are in which state."""
    return Query(lambda: reads.totals(context.view))


ROUTES = (
    Route("/v1/internal/ui/nodes", {"GET": Read(list_nodes, "filter node")}, meta_on_error=True),
    Route("/v1/internal/ui/exported-services", {"GET": Read(exported_services, "open")}, meta_on_error=True),
    Route("/v1/internal/ui/node/", {"GET": Read(show_node, "filter node")}, meta_on_error=True),
    Route("/v1/internal/ui/services", {"GET": Read(list_services, "filter service")}, meta_on_error=True),
    Route("/v1/internal/ui/catalog-overview", {"GET": Read(show_overview, "operator:read")}, meta_on_error=True),
)
