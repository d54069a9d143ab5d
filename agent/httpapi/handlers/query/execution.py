"""Execution and explanation of prepared queries (https://developer.hashicorp.com/consul/api-docs/query#execute-prepared-query)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer
from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import near_node
from pyconsul.agent.httpapi.core.rendering import missing, query_meta, read_response
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, server_error
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.queries import execute as running
from pyconsul.agent.reads.queries import visible_form
from pyconsul.agent.reads.visibility import sees_instance, visible
from pyconsul.agent.state.contract import Refused


def execute(context: Context, request: Request) -> Response:
    """Return the instances that a query finds."""
    limit, connect = _limit(request), _connect(request)
    query = _resolved(context, request)
    asker = running.Asker(context.agent_of(request), _address(request), near_node(context, request))
    found = [] if connect else running.execute(context.view, query, asker, context.rng.random)
    caller = _executor(context, request, query)
    found, filtered = visible(caller, found, lambda one: sees_instance(caller, one.node.node, one.service.service))
    if limit > 0:
        found = found[:limit]
    value = {
        "Service": query.service.service,
        "Nodes": [_shown(one) for one in found],
        "DNS": query.dns,
        "Datacenter": context.config.datacenter,
        "PeerName": "",
        "Failovers": 0,  # unknown datacenters are skipped, and this is the only one
        **query_meta(request),
        "ResultsFilteredByACLs": filtered,
    }
    return read_response(request, value, cached=True, filtered=filtered)


def _executor(context: Context, request: Request, query: PreparedQuery) -> Authorizer:
    """Return the caller of a query: its own token, if it has one."""
    if context.acl is None:
        return EVERYTHING
    return context.acl.of(query.token) if query.token else request.caller


def explain(context: Context, request: Request) -> Response:
    """Return a query as it is executed under a name."""
    _limit(request)
    query = visible_form(request.caller, _resolved(context, request))
    return read_response(request, {"Query": query, **query_meta(request)})


def _resolved(context: Context, request: Request) -> PreparedQuery:
    try:
        query = running.resolve(context.view, request.tail)
    except Refused as error:
        raise server_error(str(error)) from None
    if query is None:
        raise missing("Query not found")
    return query


def _limit(request: Request) -> int:
    text = request.params.get("limit", "")
    if not text:
        return 0
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise server_error(f'Bad limit: strconv.Atoi: parsing "{text}": invalid syntax')
    if abs(limit := int(text)) >= 1 << 63:
        raise server_error(f'Bad limit: strconv.Atoi: parsing "{text}": value out of range')
    return limit


def _connect(request: Request) -> bool:
    text = request.params.get("connect", "")
    try:
        return bool(text) and parse_go_bool(text)
    except ValueError:
        message = f"Error parsing 'connect' value: strconv.ParseBool: parsing \"{text}\": invalid syntax"
        raise server_error(message) from None


def _address(request: Request) -> str:
    """Return the caller's IP address, as the first proxy on its way saw it."""
    forwarded = request.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")[0].strip()
    return forwarded or request.remote


def _shown(one: CheckServiceNode) -> dict[str, Any]:
    """Return an instance as queries show it: lists that are empty are null."""
    service: Any = one.service
    if not service.tags:
        service = {**msgspec.to_builtins(service), "Tags": None}
    checks = [check if check.service_tags else replace(check, service_tags=None) for check in one.checks]
    return {"Node": one.node, "Service": service, "Checks": checks or None}


ROUTES = (
    Route(
        "/v1/query/*/execute",
        {"GET": Read(execute, "filter service")},
        cached=True,
        consistency=True,
        meta_on_error=True,
        lists_options=False,
    ),
    Route(
        "/v1/query/*/explain",
        {"GET": Read(explain, "handler query:read")},
        consistency=True,
        meta_on_error=True,
        lists_options=False,
    ),
)
