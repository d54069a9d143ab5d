"""/v1/internal/ui: what the web interface shows of the catalog."""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.acl.access import READ
from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.httpapi.access import authorizer, sees_check, sees_instance, visible
from pyconsul.agent.httpapi.answer import Query, Result
from pyconsul.agent.httpapi.context import Context
from pyconsul.agent.httpapi.errors import bad_request
from pyconsul.agent.httpapi.request import Request
from pyconsul.agent.httpapi.select import filtering
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.state import nodes, overview
from pyconsul.agent.state.overview import NodeInfo, ServiceSummary
from pyconsul.agent.state.schemas import NODES, SERVICES

DEPENDS = ("nodes", "services", "checks")


def list_nodes(context: Context, request: Request) -> Query:
    """The nodes with their instances and checks."""
    select = filtering(request, NodeInfo)
    view = context.view

    def read() -> Result:
        caller = authorizer(context, request)
        kept, filtered = visible(caller, nodes.all_nodes(view), lambda node: caller.level("node", node.node) >= READ)
        rows = [_info(context, caller, node) for node in kept]
        filtered = filtered or any(part for _, part in rows)
        return Result(select([info for info, _ in rows]), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

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
        info, filtered = _info(context, caller, node)
        return Result(info, index, DEPENDS, filtered=filtered)

    return Query(read)


def _info(context: Context, caller: Authorizer, node: Node) -> tuple[NodeInfo, bool]:
    """A node with those of its instances and checks that the caller may see, and whether it has more."""
    info = overview.node_info(context.view, node)
    instances, hidden = visible(caller, info.services, lambda row: caller.level("service", row.service) >= READ)
    checks, more = visible(caller, info.checks, lambda row: sees_check(caller, row.node, row.service_name))
    return replace(info, services=instances, checks=checks), hidden or more


def list_services(context: Context, request: Request) -> Query:
    """The services with the states of the instances that the caller may see."""
    select = filtering(request, ServiceSummary)
    view = context.view

    def read() -> Result:
        caller, datacenter = authorizer(context, request), context.config.datacenter
        kept, filtered = visible(
            caller, list(view[SERVICES]), lambda row: sees_instance(caller, row.node, row.service.service)
        )
        by_name: dict[str, list[ServiceInstance]] = {}
        for row in sorted(kept, key=SERVICES.key):
            by_name.setdefault(row.service.service, []).append(row)
        rows = [overview.service_summary(view, name, datacenter, found) for name, found in sorted(by_name.items())]
        return Result(select(rows), view.index_of(*DEPENDS), DEPENDS, filtered=filtered)

    return Query(read)


def show_overview(context: Context, request: Request) -> Query:
    """How much of everything is in which state."""
    view = context.view
    return Query(lambda: Result(overview.overview(view), view.index_of(*DEPENDS), DEPENDS))
