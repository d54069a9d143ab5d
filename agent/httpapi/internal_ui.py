"""/v1/internal/ui: what the web interface shows of the catalog."""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.acl.access import READ
from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.httpapi.access import authorizer, sees_check, visible
from pyconsul.agent.httpapi.answer import Query, Result
from pyconsul.agent.httpapi.context import Context
from pyconsul.agent.httpapi.errors import bad_request
from pyconsul.agent.httpapi.request import Request
from pyconsul.agent.httpapi.select import filtering
from pyconsul.agent.model.node import Node
from pyconsul.agent.state import nodes, overview, services
from pyconsul.agent.state.overview import NodeInfo, ServiceSummary
from pyconsul.agent.state.schemas import NODES

DEPENDS = ("nodes", "services", "checks")


def list_nodes(context: Context, request: Request) -> Query:
    """The nodes with their instances and checks."""
    select = filtering(request, NodeInfo)
    view = context.view

    def read() -> Result:
        caller = authorizer(context, request)
        kept, filtered = visible(caller, nodes.all_nodes(view), lambda node: caller.level("node", node.node) >= READ)
        rows = [_info(context, caller, node) for node in kept]
        return Result(select(rows), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

    return Query(read)


def show_node(context: Context, request: Request) -> Query:
    """One node with its instances and checks."""
    name = request.tail
    if not name:
        raise bad_request("Missing node name")
    view = context.view

    def read() -> Result:
        caller = authorizer(context, request)
        node, index = view[NODES].get(name.lower()), view.index_of(*DEPENDS)
        hidden = node is not None and caller.level("node", node.node) < READ
        if node is None or hidden:
            filtered = hidden and not caller.anonymous
            return Result(b"", index, DEPENDS, status=404, headers=(), filtered=filtered)
        return Result(_info(context, caller, node), index, DEPENDS)

    return Query(read)


def _info(context: Context, caller: Authorizer, node: Node) -> NodeInfo:
    """A node with those of its instances and checks that the caller may see."""
    info = overview.node_info(context.view, node)
    if caller.everything:
        return info
    return replace(
        info,
        services=[row for row in info.services if caller.level("service", row.service) >= READ],
        checks=[row for row in info.checks if sees_check(caller, row.node, row.service_name)],
    )


def list_services(context: Context, request: Request) -> Query:
    """The services with their states counted."""
    select = filtering(request, ServiceSummary)
    view = context.view

    def read() -> Result:
        caller = authorizer(context, request)
        known = list(services.names_and_tags(view))
        names, filtered = visible(caller, known, lambda name: caller.level("service", name) >= READ)
        rows = [overview.service_summary(view, name, context.config.datacenter) for name in names]
        return Result(select(rows), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

    return Query(read)


def show_overview(context: Context, request: Request) -> Query:
    """How much of everything is in which state."""
    view = context.view
    return Query(lambda: Result(overview.overview(view), view.index_of(*DEPENDS), DEPENDS))
