"""POST /v1/acl/login and /v1/acl/logout: https://developer.hashicorp.com/consul/api-docs/acl#login-to-auth-method"""

from __future__ import annotations

import asyncio
import json
import math
import time

from pyconsul.agent.acl.authorizer import Forbidden, UnknownToken
from pyconsul.agent.acl.methods.binding import UnknownVariable, bind
from pyconsul.agent.acl.methods.jwtkeys import KeySetError
from pyconsul.agent.acl.methods.jwtmethod import Claims, LoginError, UnknownKey, check_config, verify
from pyconsul.agent.acl.methods.methodconfig import ConfigError, JWTConfig
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import enabled, has_token
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, HTTPError, Response, json_response
from pyconsul.agent.httpapi.core.router import Route, Write
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import LoginBody
from pyconsul.agent.model.acl import AuthMethod, Grants, Token
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.write_txn import WriteTxn

DENIED = "Permission denied"


async def login(context: Context, request: Request) -> Response:
    """Create a token for a bearer whom an auth method accepts."""
    enabled(context)
    body = decode(request.body, LoginBody, "Failed to decode request body: ")
    method = acl_auth.method_named(context.view, body.auth_method)
    if method is None:
        raise HTTPError(403, f'ACL not found: auth method "{body.auth_method}" not found')
    try:
        claims = await _claims(context, check_config(method.config), body.bearer_token, time.time())
    except (LoginError, ConfigError, KeySetError) as error:
        raise HTTPError(403, f"{DENIED}: {error}") from None
    grants = _granted(context, method, claims)
    if wait := context.login_limit.take(method.name, body.bearer_token, asyncio.get_running_loop().time()):
        text = f'too many logins with this bearer token of auth method "{method.name}", retry in {wait:.1f}s'
        raise HTTPError(429, text, ((b"Retry-After", b"%d" % math.ceil(wait)),))
    meta = f": {json.dumps(body.meta, sort_keys=True, separators=(',', ':'))}" if body.meta else ""
    accessor, secret = new_id(), new_id()

    def write(txn: WriteTxn) -> Token:
        return acl_tokens.put(
            txn,
            Token(
                accessor_id=accessor,
                secret_id=secret,
                description=f"token created via login{meta}",
                grants=grants,
                local=method.token_locality != "global",
                auth_method=method.name,
                created=txn.now,
                expires=txn.now + method.max_token_ttl / SECOND_NS if method.max_token_ttl else None,
            ),
        )

    return json_response(show.token(context.view, await context.commit(write)))


async def _claims(context: Context, config: JWTConfig, bearer: str, now: float) -> Claims:
    """Return a token's claims.  Raises LoginError, KeySetError.

    A key that is not known may be a new one: the set is fetched again, if that was not done a moment ago.
    """
    keys = await context.login_keys.get(config)
    try:
        return verify(bearer, keys, config, now)
    except UnknownKey:
        fresh = await context.login_keys.refreshed(config, keys)
        if fresh is keys:
            raise
    return verify(bearer, fresh, config, now)


def _granted(context: Context, method: AuthMethod, claims: Claims) -> Grants:
    """Return the grants of the method's binding rules.  Raises HTTPError 403 when they grant nothing."""
    rules = [
        rule
        for rule in acl_auth.all_rules(context.view, method.name)
        if not rule.selector or compile_filter(rule.selector, Claims)(claims)
    ]
    try:
        grants = bind(context.view, rules, claims, context.config.datacenter)
    except UnknownVariable as error:
        raise HTTPError(403, f"{DENIED}: a binding rule's name cannot be made: {error}") from None
    if grants == Grants():
        raise HTTPError(403, DENIED)
    return grants


async def logout(context: Context, request: Request) -> Response:
    """Delete the caller's token, if it was made by a login."""
    acl = enabled(context)
    if not has_token(acl, request):
        raise HTTPError(401, "Supplied token does not exist")
    token = acl.token(request.token)
    if token is None:
        raise UnknownToken
    if not token.auth_method:
        raise Forbidden("Permission denied: token wasn't created via login")
    await context.commit(lambda txn: acl_tokens.delete(txn, token.accessor_id))
    return TRUE


ROUTES = (
    Route("/v1/acl/login", {"POST": Write(login, "open")}),
    Route("/v1/acl/logout", {"POST": Write(logout, "self")}),
)
