"""/v1/query: https://developer.hashicorp.com/consul/api-docs/query"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from pyconsul.agent.common.go.durations import parse_go_duration_ns
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.rendering import missing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    EMPTY,
    Query,
    Response,
    Result,
    json_response,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.query.access import require_write
from pyconsul.agent.httpapi.server.contract import BodyRule
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.queries.template import check_template
from pyconsul.agent.reads import queries as reads
from pyconsul.agent.state import queries
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")
MAX_META = 64  # meta data that a query may ask for
MAX_DEFINITION = 64 << 10  # bytes of a query


def body_rule(context: Context, request: Request) -> BodyRule:
    """Limit definitions, since any caller who knows a session may store queries without a name."""
    return BodyRule(MAX_DEFINITION)


def list_queries(context: Context, request: Request) -> Query:
    """Return the queries, by ID."""
    return Query(lambda: reads.every(context.view, request.caller))


def show(context: Context, request: Request) -> Query:
    """Return one query, in a list."""

    def read() -> Result:
        try:
            result = reads.one(context.view, request.caller, request.tail)
        except Refused as error:
            raise server_error(str(error)) from None
        if result.value is None:
            raise missing("Query not found")
        return result

    return Query(read)


async def create(context: Context, request: Request) -> Response:
    """Create a query and return its ID."""
    query = decode(request.body, PreparedQuery)
    refuse_control_characters(context, query)
    if query.id:
        raise server_error("ID must be empty when creating a new prepared query")
    query = replace(query, id=new_id())
    caller = request.caller

    def write(txn: WriteTxn) -> None:
        require_write(caller, txn, query)
        _check(query)
        queries.set_query(txn, query, check_template)

    await _apply(context, write)
    return json_response({"ID": query.id})


async def update(context: Context, request: Request) -> Response:
    """Replace a query."""
    query = decode(request.body, PreparedQuery)
    refuse_control_characters(context, query)

    caller = request.caller

    def change(txn: WriteTxn) -> None:
        require_write(caller, txn, query)
        old = _existing(txn, request.tail)
        require_write(caller, txn, old)
        _check(query)
        queries.set_query(txn, replace(query, id=old.id), check_template)

    await _apply(context, change)
    return EMPTY


async def delete(context: Context, request: Request) -> Response:
    """Delete a query."""
    caller = request.caller

    def change(txn: WriteTxn) -> None:
        old = _existing(txn, request.tail)
        require_write(caller, txn, old)
        queries.delete_query(txn, old.id)

    await _apply(context, change)
    return EMPTY


def _existing(txn: WriteTxn, query_id: str) -> PreparedQuery:
    try:
        query = queries.get(txn, query_id)
    except Refused as error:
        raise server_error(f"Prepared Query lookup failed: {error}") from None
    if query is None:
        raise server_error(f"Cannot modify non-existent prepared query: '{query_id}'")
    return query


async def _apply(context: Context, change: Callable[[WriteTxn], T]) -> T:
    try:
        return await context.commit(change)
    except Refused as error:
        raise server_error(f"raft apply failed: {error}") from None


def _check(query: PreparedQuery) -> None:
    """Raises HTTPError for an invalid query; names, sessions and templates are checked by the write."""
    if (problem := _problem(query)) is not None:
        raise server_error(f"Invalid prepared query: {problem}")


def _problem(query: PreparedQuery) -> str | None:
    if not (query.name or query.template.type or query.session):
        return "Must be bound to a session"
    if query.token == reads.REDACTED:
        return f"Bad Token '{reads.REDACTED}', it looks like a query definition with a redacted token was submitted"
    service = query.service
    if not service.service:
        return "Must provide a Service name to query"
    if service.failover.nearest_n < 0:
        return f"Bad NearestN '{service.failover.nearest_n}', must be >= 0"
    if service.failover.targets and (service.failover.nearest_n or service.failover.datacenters):
        return "Targets cannot be populated with NearestN or Datacenters"
    return _meta_problem(service.node_meta or {}) or _ttl_problem(query.dns.ttl)


def _meta_problem(meta: dict[str, str]) -> str | None:
    if len(meta) > MAX_META:
        return f"Node metadata cannot contain more than {MAX_META} key/value pairs"
    for key, value in meta.items():
        shown = f"Couldn't load metadata pair ('{key}', '{value}')"
        if not key:
            return f"{shown}: Key cannot be blank"
        if not all(character.isascii() and (character.isalnum() or character in "_-") for character in key):
            return f"{shown}: Key contains invalid characters"
        if len(key) > 128:
            return f"{shown}: Key is too long (limit: 128 characters)"
        if len(value) > 512:
            return f"{shown}: Value is too long (limit: 512 characters)"
    return None


def _ttl_problem(text: str) -> str | None:
    try:
        ttl = parse_go_duration_ns(text, go_error=True) if text else 0
    except ValueError as error:
        return f"Bad DNS TTL '{text}': {error}"
    return f"DNS TTL '{ttl}', must be >=0" if ttl < 0 else None


ROUTES = (
    Route(
        "/v1/query",
        {"GET": Read(list_queries, "filter query"), "POST": Write(create, "handler query:write")},
        consistency=True,
        meta_on_error=True,
        body_rule=body_rule,
    ),
    Route(
        "/v1/query/",
        {
            "GET": Read(show, "handler query:read"),
            "PUT": Write(update, "handler query:write"),
            "DELETE": Write(delete, "handler query:write"),
        },
        consistency=True,
        meta_on_error=True,
        body_rule=body_rule,
        lists_options=False,
    ),
)
