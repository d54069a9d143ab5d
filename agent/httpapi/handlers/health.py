"""/v1/health: https://developer.hashicorp.com/consul/api-docs/health"""

from __future__ import annotations

from collections.abc import Callable

from pyconsul.agent.httpapi.core.authorization import sees_check, sees_instance, visible
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import Order, filtering, node_meta
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Query, Result, bad_request
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import PASSING, STATES, HealthCheck
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.schemas import NODES

#: Says, as Consul does, that the response comes from a blocking query and not from its streaming cache.
BACKEND = (*JSON, (b"X-Consul-Query-Backend", b"blocking-query"))


def list_instances(context: Context, request: Request) -> Query:
    """The instances of a service with their nodes and checks; with `?passing` only those that are healthy."""
    name = request.tail
    if not name:
        raise bad_request("Missing service name")
    tags, meta, passing = request.multi("tag"), node_meta(request), _passing(request)
    select = filtering(request, CheckServiceNode)
    order = Order[CheckServiceNode](context, request, lambda one: one.node.node)
    view = context.view

    def read() -> Result:
        rows = services.instances(view, name, tags)
        exists = bool(rows) if not tags else bool(services.instances(view, name))
        caller = request.caller
        rows, filtered = visible(caller, rows, lambda row: sees_instance(caller, row.node, row.service.service))
        found = services.with_checks(view, rows)
        if meta:
            found = [one for one in found if nodes.has_meta(one.node.meta, meta)]
        if passing:
            found = [one for one in found if all(check.status == PASSING for check in one.checks)]
        index = services.index_of_service(view, name, exists)
        cacheable, found = exists and order.keeps, order(select(found))
        watched = topics.watching(name, exists)
        return Result(found, index, watched, headers=BACKEND, cacheable=cacheable, filtered=filtered)

    return Query(read)


def _passing(request: Request) -> bool:
    text = request.params.get("passing")
    if text in (None, ""):
        return text is not None
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise bad_request("Invalid value for ?passing")


def list_node_checks(context: Context, request: Request) -> Query:
    """The checks of a node and its services."""
    if not request.tail:
        raise bad_request("Missing node name")
    topic = topics.checks_of("node", request.tail)
    return _checks(context, request, lambda: checks.of_node(context.view, request.tail), topic)


def list_service_checks(context: Context, request: Request) -> Query:
    """The checks of all instances of a service."""
    if not request.tail:
        raise bad_request("Missing service name")
    topic = topics.checks_of("service", request.tail)
    return _checks(context, request, lambda: checks.of_service(context.view, request.tail), topic)


def list_state(context: Context, request: Request) -> Query:
    """The checks in a state, or in any."""
    state = request.tail
    if not state:
        raise bad_request("Missing check state")
    state = state.lower()
    if state not in (*STATES, "any"):
        return _checks(context, request, list, "checks")
    topic = "checks" if state == "any" else topics.checks_of("state", state)
    return _checks(context, request, lambda: checks.in_state(context.view, state), topic)


def _checks(context: Context, request: Request, find: Callable[[], list[HealthCheck]], topic: str) -> Query:
    """The checks that `find` finds, which change with `topic`; their index is that of all checks, as Consul's is."""
    meta = node_meta(request)
    select = filtering(request, HealthCheck)
    order = Order[HealthCheck](context, request, lambda check: check.node)
    view = context.view
    wakes = (topic, "nodes") if meta else (topic,)

    def read() -> Result:
        caller = request.caller
        rows, filtered = visible(caller, find(), lambda row: sees_check(caller, row.node, row.service_name))
        if meta:
            rows = [
                row for row in rows if (node := view[NODES].get(row.node.lower())) and nodes.has_meta(node.meta, meta)
            ]
        index, rows = view.index_of("checks", *wakes[1:]), order(select(rows))
        return Result(rows, index, wakes, cacheable=order.keeps and topic == "checks", filtered=filtered)

    return Query(read)


ROUTES = (
    Route(
        "/v1/health/service/",
        {"GET": Read(list_instances, "filter service")},
        consistency=True,
        cached=True,
        watched=True,
    ),
    Route(
        "/v1/health/node/",
        {"GET": Read(list_node_checks, "filter node")},
        consistency=True,
        meta_on_error=True,
        watched=True,
    ),
    Route(
        "/v1/health/checks/",
        {"GET": Read(list_service_checks, "filter service")},
        consistency=True,
        meta_on_error=True,
        watched=True,
    ),
    Route(
        "/v1/health/state/",
        {"GET": Read(list_state, "filter node")},
        consistency=True,
        meta_on_error=True,
        watched=True,
    ),
)
