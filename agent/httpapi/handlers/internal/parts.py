"""GET /v1/pyconsul/part/KIND/NAME: a part of the catalog and its changes, for agents that answer DNS from it.

KIND is `service`, `node` or `address`.  The response is a stream of lines, each a `PartChange`: first all rows, then every
change, and a line without rows when there was none for a while.  The stream ends when the permissions of the caller change.
With `?once`, the response is the first line alone; with `?brief`, if there are no rows: most names that do not exist are asked
for once.

GET /v1/pyconsul/dns-query/NAME?source=ADDRESS: the result of a prepared query for a DNS client at that address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, Forbidden
from pyconsul.agent.dnsd.prepared import query_executor
from pyconsul.agent.httpapi.core.authorization import resolved_again
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FILTERED, Response, encode, json_response, not_found
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.reads.part_feeds import NOTHING
from pyconsul.agent.reads.parts import PART_KINDS, PartChange, part_rows, whole_part
from pyconsul.agent.reads.visibility import sees_instance
from pyconsul.agent.state.acl.tables import TOPIC

KEEPALIVE_S = 15.0  # without news, before a line without rows is sent
#: Between two lines, by kind: an address is looked for in the whole catalog.
MIN_INTERVAL_S = {"service": 0.02, "node": 0.02, "address": 1.0}
LINES = ((b"Content-Type", b"application/x-ndjson"),)


def show(context: Context, request: Request) -> Response:
    """Return a part of the catalog, and follow it."""
    kind, _, name = request.tail.partition("/")
    if kind not in PART_KINDS or not name:
        raise not_found("the path ends in a kind (" + ", ".join(PART_KINDS) + ") and a name")
    name = name.lower()
    if "once" in request:
        return _once(context, request.caller, kind, name)
    if "brief" in request and not part_rows(context.view, request.caller, kind, name):
        return json_response(whole_part({}))
    return Response(200, headers=LINES, stream=_lines(context, request, request.caller, kind, name))


def _once(context: Context, caller: Authorizer, kind: str, name: str) -> Response:
    """Return the present rows of a part."""
    rows = part_rows(context.view, caller, kind, name)
    hides = not caller.anonymous and len(part_rows(context.view, EVERYTHING, kind, name)) > len(rows)
    return json_response(whole_part(rows), filtered=hides)


async def _lines(context: Context, request: Request, caller: Authorizer, kind: str, name: str) -> AsyncIterator[bytes]:
    """Yield the lines until the agent stops or the caller's permissions change."""
    event = asyncio.Event()
    watches, feeds = context.watches, context.part_feeds
    feed = feeds.open(caller, kind, name, event.set)
    watches.add(event.set, (TOPIC,))
    position, is_closing = NOTHING, False
    try:
        while not is_closing:
            event.clear()
            lines, position = feed.read(position)
            yield lines + _age(context)
            await asyncio.sleep(MIN_INTERVAL_S[kind])
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEPALIVE_S):
                    await event.wait()
            watches.remove(event.set, (TOPIC,))
            watches.add(event.set, (TOPIC,))
            is_closing = watches.closed or not _has_same_rights(context, request, caller)
    finally:
        watches.remove(event.set, (TOPIC,))
        feeds.close(caller, kind, name, event.set)


def _age(context: Context) -> bytes:
    """Return the line that states how old the state of this server may be."""
    return encode(PartChange(age_ms=context.standing.last_contact_ms)) + b"\n"


def _has_same_rights(context: Context, request: Request, caller: Authorizer) -> bool:
    try:
        return resolved_again(context, request).rights is caller.rights
    except Forbidden:
        return False


def execute_query(context: Context, request: Request) -> Response:
    """Return the result of a prepared query; 404 without a visible instance."""
    agent, caller = request.origin or context.config.node_name, request.caller
    execute = query_executor(context.view, lambda: EVERYTHING, agent, context.config.datacenter, context.rng)
    result = execute(request.tail, request.params.get("source", ""))
    if result is None:
        return Response(404)
    nodes = [one for one in result.nodes if sees_instance(caller, one.node.node, one.service.service)]
    hides = not caller.anonymous and len(nodes) < len(result.nodes)
    if not nodes:
        return Response(404, b"", FILTERED if hides else ())
    return json_response(replace(result, nodes=nodes), filtered=hides)


ROUTES = (
    Route("/v1/pyconsul/part/", {"GET": Read(show, "filter service")}),
    Route("/v1/pyconsul/dns-query/", {"GET": Read(execute_query, "filter service")}),
)
