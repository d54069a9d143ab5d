"""/v1/kv: https://developer.hashicorp.com/consul/api-docs/kv"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.httpapi.core.authorization import authorized
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    FALSE,
    TRUE,
    HTTPError,
    Query,
    Response,
    Result,
    bad_request,
    encode,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.server.contract import DEFAULT_BODY, BodyRule, PendingResponse
from pyconsul.agent.reads import kv as reads
from pyconsul.agent.state import kv
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn

RAW = (
    (b"Content-Type", b"text/plain"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Content-Security-Policy", b"sandbox"),
)
# The header confirms the purge; other agents ignore `?purge`.
PURGED = Response(TRUE.status, TRUE.body, (*TRUE.headers, (b"X-Pyconsul-Purged", b"true")))

TOO_LARGE = (
    "Request body({size} bytes) too large, max size: {limit} bytes. "
    "See https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size."
)


def get(context: Context, request: Request) -> Query:
    """Return a key, or with `?recurse` or `?keys` all entries or keys below a prefix."""
    key = request.tail
    view = context.view
    if "keys" in request:
        return _keys_below(context, request, key)
    if "recurse" in request:
        return _entries_below(context, request, key)
    if not key:
        raise bad_request("Missing key name")
    if "raw" in request:
        return Query(lambda: reads.entry(view, request.caller, key, raw=True), RAW)
    return Query(lambda: reads.entry(view, request.caller, key))


def _entries_below(context: Context, request: Request, prefix: str) -> Query:
    view, needs_list = context.view, _needs_list(context)

    def in_steps() -> Steps[Result]:
        return reads.entries_in_steps(view, request.caller, prefix, needs_list, encode)

    return Query(
        lambda: reads.entries_below(view, request.caller, prefix, _needs_list(context)),
        steps=in_steps if reads.is_large(view, prefix) else None,
    )


def _keys_below(context: Context, request: Request, prefix: str) -> Query:
    view, needs_list = context.view, _needs_list(context)
    separator = request.params.get("separator", "")

    def in_steps() -> Steps[Result]:
        return reads.keys_in_steps(view, request.caller, prefix, separator, needs_list, encode)

    return Query(
        lambda: reads.keys_below(view, request.caller, prefix, separator, _needs_list(context)),
        steps=in_steps if reads.is_large(view, prefix) else None,
    )


def _needs_list(context: Context) -> bool:
    """Return whether reading a prefix needs `key:list`."""
    return context.acl is not None and context.acl.settings.key_list_policy


def put(context: Context, request: Request) -> PendingResponse:
    """Write a key: plain, with `?cas`, `?acquire` or `?release`."""
    key, value = request.tail, request.body
    flags, cas = _put_options(request)
    limit = context.config.limits.kv_max_value_size
    if len(value) > limit:
        raise HTTPError(413, TOO_LARGE.format(size=len(value), limit=limit))
    write = authorized(request, "key:write", _write(request, key, value, flags, cas), key)
    return PendingResponse(context.commit(write), _written)


def _written(done: asyncio.Future[bool]) -> Response:
    try:
        return TRUE if done.result() else FALSE
    except Refused as error:
        raise server_error(f"raft apply failed: {error}") from None


def _put_options(request: Request) -> tuple[int, int | None]:
    """`?flags` and `?cas`.  Raises HTTPError for what cannot be written."""
    if not request.tail:
        raise bad_request("Missing key name")
    _refuse_together(request, "cas", "acquire", "release")
    return request.unsigned("flags") or 0, request.unsigned("cas")


def _write(request: Request, key: str, value: bytes, flags: int, cas: int | None) -> Callable[[WriteTxn], bool]:
    params = request.params
    if "acquire" in params:
        return lambda txn: kv.acquire(txn, key, value, flags, params["acquire"])
    if "release" in params:
        return lambda txn: kv.release(txn, key, value, flags, params["release"])
    return lambda txn: kv.put(txn, key, value, flags, cas)


def body_rule(context: Context, request: Request) -> BodyRule:
    """Limit a value by `kv_max_value_size`."""
    return _value_rule(context.config.limits.kv_max_value_size) if request.method == "PUT" else DEFAULT_BODY


@lru_cache(maxsize=8)
def _value_rule(limit: int) -> BodyRule:
    return BodyRule(limit, too_large=TOO_LARGE, check=_put_options)


async def delete(context: Context, request: Request) -> Response:
    """Delete a key, or with `?recurse` everything below a prefix; with `?purge` (not in Consul) the history as well."""
    key, purge = request.tail, "purge" in request
    done = PURGED if purge else TRUE
    _refuse_together(request, "recurse", "cas")
    if "recurse" in request:
        caller = request.caller

        def delete_tree(txn: WriteTxn) -> Steps[None]:
            caller.require_tree(key)
            return kv.delete_tree(txn, key, purge=purge)

        await context.commit_steps(delete_tree)
        return done
    if not key:
        raise bad_request("Missing key name")
    cas = request.unsigned("cas")
    delete_key = authorized(request, "key:write", lambda txn: kv.delete(txn, key, cas, purge=purge), key)
    return done if await context.commit(delete_key) else FALSE


def _refuse_together(request: Request, *names: str) -> None:
    if request.query and sum(name in request for name in names) > 1:
        given = "&".join(f"{name}={value}" for name, value in sorted(request.params.items()))
        raise bad_request(f"Conflicting flags: {given}\n")


ROUTES = (
    Route(
        "/v1/kv/",
        {
            "GET": Read(get, "handler key:read"),
            "PUT": Write(put, "handler key:write"),
            "DELETE": Write(delete, "handler key:write"),
        },
        strict=True,
        watched=True,
        body_rule=body_rule,
    ),
)
