"""/v1/health: https://developer.hashicorp.com/consul/api-docs/health"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering, near_node, node_meta
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Query, bad_request, server_error
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import STATES, HealthCheck
from pyconsul.agent.reads import health as reads
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state.contract import View

#: Says, as Consul does, that the response comes from a blocking query and not from its streaming cache.
BACKEND = (*JSON, (b"X-Consul-Query-Backend", b"blocking-query"))


def list_instances(context: Context, request: Request) -> Query:
    """Return the instances of a service with their nodes and checks; with `?passing` only healthy ones."""
    name = request.tail
    if not name:
        raise bad_request("Missing service name")
    if request.params.get("sg"):
        raise server_error("sameness groups are not supported in consul CE")
    tags, meta, passing = request.multi("tag"), node_meta(request), _passing(request)
    select, near, view = filtering(request, CheckServiceNode), near_node(context, request), context.view
    return Query(
        lambda: reads.instances(
            view, request.caller, name, tags=tags, meta=meta, passing=passing, select=select, near=near
        ),
        BACKEND,
    )


def _passing(request: Request) -> bool:
    text = request.params.get("passing")
    if not text:
        return text is not None
    try:
        return parse_go_bool(text)
    except ValueError:
        raise bad_request("Invalid value for ?passing") from None


def list_node_checks(context: Context, request: Request) -> Query:
    """Return the checks of a node and its services."""
    return _list_checks(context, request, reads.checks_of_node, "Missing node name")


def list_service_checks(context: Context, request: Request) -> Query:
    """Return the checks of all instances of a service."""
    return _list_checks(context, request, reads.checks_of_service, "Missing service name")


def list_state(context: Context, request: Request) -> Query:
    """Return the checks in a state, or in any."""
    return _list_checks(context, request, _checks_in_state, "Missing check state")


def _checks_in_state(view: View, caller: Authorizer, name: str, **options: Any) -> Result:
    state = name.lower()
    return reads.checks_in_state(view, caller, state if state in (*STATES, "any") else "", **options)


def _list_checks(context: Context, request: Request, read: Callable[..., Result], missing: str) -> Query:
    name = request.tail
    if not name:
        raise bad_request(missing)
    view, near = context.view, near_node(context, request)
    meta, select = node_meta(request), filtering(request, HealthCheck)
    return Query(lambda: read(view, request.caller, name, meta=meta, select=select, near=near))


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
