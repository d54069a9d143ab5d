"""/v1/acl/token and /v1/acl/tokens: https://developer.hashicorp.com/consul/api-docs/acl/tokens"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from pyconsul.agent.acl.authorizer import UnknownToken
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled, has_token
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    TRUE,
    Query,
    Response,
    Result,
    bad_request,
    json_response,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show, token_write
from pyconsul.agent.httpapi.handlers.acl.bodies import TokenBody
from pyconsul.agent.model.acl import Token
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import ROLES
from pyconsul.agent.state.write_txn import WriteTxn

PREFIX = "Token decoding failed: "
MISSING = "token does not exist: ACL not found"


def list_tokens(context: Context, request: Request) -> Query:
    """Return the tokens; without their secrets for callers without `acl:write`."""
    acl = enabled(context)
    params = request.params
    identity = params.get("servicename", "")
    if sum(bool(params.get(name)) for name in ("policy", "role", "servicename", "authmethod")) > 1:
        raise server_error("can only filter by one of policy, role, serviceName, or methodName at the same time")

    def wanted(token: Token) -> bool:
        given = token.grants
        return (
            params.get("policy") in (None, "", *given.policies)
            and params.get("role") in (None, "", *given.roles)
            and params.get("authmethod") in (None, "", token.auth_method)
            and (not identity or identity in [one.service_name for one in given.service_identities])
        )

    def read() -> Result:
        view, caller = context.view, request.caller
        result = reads.tokens(view, caller, acl.clock(), wanted)
        hide = not caller.allows("acl", WRITE)
        return result.shown_as(filtering(request, dict)([show.token(view, row, hide) for row in result.value]))

    return Query(read)


def read_self(context: Context, request: Request) -> Query:
    """Return the caller's own token."""
    acl = enabled(context)

    def read() -> Result:
        token = acl.token(request.token) if has_token(acl, request) else None
        if token is None:
            raise UnknownToken(MISSING)
        return reads.token_result(context.view, _shown(context, acl, request, token, False))

    return Query(read)


def _accessor(context: Context, request: Request) -> str:
    """Return the AccessorID in the path.  Raises HTTPError."""
    enabled(context)
    if not request.tail:
        raise bad_request("Missing token AccessorID")
    return request.tail


def show_token(context: Context, request: Request) -> Query:
    """Return one token."""
    acl, accessor = enabled(context), _accessor(context, request)

    def read() -> Result:
        view, caller = context.view, request.caller
        try:
            result = reads.token(view, caller, accessor, acl.clock())
        except ValueError as error:
            raise server_error(f"failed acl token lookup: index error: {error}") from None
        if result.value is None:
            raise UnknownToken(MISSING)
        return result.shown_as(_shown(context, acl, request, result.value, not caller.allows("acl", WRITE)))

    return Query(read)


def _shown(context: Context, acl: Resolver, request: Request, token: Token, hide: bool) -> dict[str, Any]:
    shown = show.token(context.view, token, hide)
    if request.params.get("expanded") not in ("1", "t", "true", ""):
        return shown
    roles = [row for role in token.grants.roles if (row := context.view[ROLES].get(role)) is not None]
    return {
        **shown,
        "ExpandedPolicies": [show.policy(policy) for policy in acl.policies(token.grants)] or None,
        "ExpandedRoles": [show.role(context.view, role) for role in roles] or None,
        "NamespaceDefaultPolicyIDs": None,
        "NamespaceDefaultRoleIDs": None,
        "AgentACLDefaultPolicy": "allow" if acl.settings.default_allow else "deny",
        "AgentACLDownPolicy": acl.settings.down_policy,
        "ResolvedByAgent": acl.settings.node_name,
    }


async def create(context: Context, request: Request) -> Response:
    """Create a token."""
    enabled(context)
    body = decode(request.body, TokenBody, PREFIX)
    refuse_control_characters(context, body)
    accessor, secret = new_id(), new_id()
    return await _written(context, request, lambda txn: token_write.create(txn, body, accessor, secret))


async def update(context: Context, request: Request) -> Response:
    """Change a token."""
    accessor = _accessor(context, request)
    body = decode(request.body, TokenBody, PREFIX)
    refuse_control_characters(context, body)
    if body.accessor_id not in ("", accessor):
        raise bad_request("Token Accessor ID in URL and payload do not match")
    return await _written(context, request, lambda txn: token_write.update(txn, accessor, body))


async def clone(context: Context, request: Request) -> Response:
    """Copy a token under new IDs."""
    acl, accessor = enabled(context), request.tail
    body = decode(request.body, TokenBody, PREFIX)
    refuse_control_characters(context, body)
    new_accessor, secret = new_id(), new_id()

    def copy(txn: WriteTxn) -> Token:
        old = acl_tokens.by_accessor(txn, accessor, acl.clock())
        if old is None:
            raise UnknownToken(MISSING)
        return token_write.clone(txn, old, body.description, new_accessor, secret)

    return await _written(context, request, copy)


async def _written(context: Context, request: Request, operation: Callable[[WriteTxn], Token]) -> Response:
    token = await context.commit(authorized(request, "acl:write", operation))
    return json_response(show.token(context.view, token))


async def delete(context: Context, request: Request) -> Response:
    """Delete a token."""
    accessor = _accessor(context, request)
    mine = enabled(context).token(request.token)

    def remove(txn: WriteTxn) -> bool:
        if not is_uuid(accessor):
            raise server_error("Accessor ID is missing or an invalid UUID")
        if mine is not None and hmac.compare_digest(mine.accessor_id, accessor):
            raise server_error("Deletion of the request's authorization token is not permitted")
        return acl_tokens.delete(txn, accessor)

    if not await context.commit(authorized(request, "acl:write", remove)):
        raise not_found("Cannot find token to delete")
    return TRUE


ROUTES = (
    Route("/v1/acl/tokens", {"GET": Read(list_tokens, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/token", {"PUT": Write(create, "handler acl:write")}),
    Route("/v1/acl/token/self", {"GET": Read(read_self, "self")}, meta_on_error=True),
    Route(
        "/v1/acl/token/",
        {
            "GET": Read(show_token, "handler acl:read"),
            "PUT": Write(update, "handler acl:write"),
            "DELETE": Write(delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
    Route("/v1/acl/token/*/clone", {"PUT": Write(clone, "handler acl:write")}, meta_on_error=True),
)
