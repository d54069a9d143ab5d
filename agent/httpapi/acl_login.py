"""POST /v1/acl/login and /v1/acl/logout: https://developer.hashicorp.com/consul/api-docs/acl#login-to-auth-method"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from pyconsul.agent.acl import jwtmethod
from pyconsul.agent.acl.authorizer import Forbidden, UnknownToken
from pyconsul.agent.acl.binding import UnknownVariable, bind
from pyconsul.agent.acl.jwtmethod import Claims, ConfigError, LoginError
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.httpapi import acl_show
from pyconsul.agent.httpapi.access import enabled
from pyconsul.agent.httpapi.acl_bodies import LoginBody
from pyconsul.agent.httpapi.answer import TRUE, Answer, json_answer
from pyconsul.agent.httpapi.context import Context
from pyconsul.agent.httpapi.decode import decode
from pyconsul.agent.httpapi.errors import HTTPError
from pyconsul.agent.httpapi.ids import new_id
from pyconsul.agent.httpapi.request import Request
from pyconsul.agent.model.acl import AuthMethod, Grants, Token
from pyconsul.agent.state import acl_auth, acl_tokens
from pyconsul.agent.state.draft import Draft

TIMEOUT = 10.0  # seconds to fetch keys
DENIED = "Permission denied"
NANO = 1_000_000_000


async def login(context: Context, request: Request) -> Answer:
    """A token for somebody who is known by an auth method."""
    acl = enabled(context)
    body = decode(request.body, LoginBody, "Failed to decode request body: ")
    method = acl_auth.method_named(context.view, body.auth_method)
    if method is None:
        raise HTTPError(403, f'ACL not found: auth method "{body.auth_method}" not found')
    try:
        claims = jwtmethod.verify(body.bearer_token, await _keys(method.config), method.config, acl.clock())
    except (LoginError, ConfigError) as error:
        raise HTTPError(403, f"{DENIED}: {error}") from None
    grants = _granted(context, method, claims)
    meta = f": {json.dumps(body.meta, sort_keys=True, separators=(',', ':'))}" if body.meta else ""
    accessor, secret = new_id(), new_id()

    def write(draft: Draft) -> Token:
        return acl_tokens.put(
            draft,
            Token(
                accessor_id=accessor,
                secret_id=secret,
                description=f"token created via login{meta}",
                grants=grants,
                local=method.token_locality != "global",
                auth_method=method.name,
                created=draft.now,
                expires=draft.now + method.max_token_ttl / NANO if method.max_token_ttl else None,
            ),
        )

    return json_answer(acl_show.token(context.view, await context.commit(write)))


def _granted(context: Context, method: AuthMethod, claims: Claims) -> Grants:
    """What the method's binding rules give.  Raises HTTPError 403 when that is nothing."""
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


async def _keys(config: dict[str, Any]) -> list[Any]:
    """The keys that a method believes.  Raises LoginError when they cannot be fetched."""
    if config.get("JWTValidationPubKeys"):
        return jwtmethod.keys_of_pem(config)
    if config.get("JWKS"):
        return jwtmethod.keys_of_set(config)
    if str(config.get("JWKSURL")).startswith("file://"):
        return jwtmethod.keys_of_jwks(await _file(str(config["JWKSURL"]).removeprefix("file://")))
    return await _fetched(config)


async def _file(path: str) -> str:
    try:
        return await asyncio.to_thread(Path(path).read_text, "utf-8")
    except (OSError, ValueError) as error:
        raise LoginError(f"the keys cannot be read: {error}") from None


async def _fetched(config: dict[str, Any]) -> list[Any]:
    """The keys at an address.  Raises LoginError."""
    import httpx

    url, pem = str(config.get("JWKSURL") or ""), config.get("JWKSCACert")
    if config.get("OIDCDiscoveryURL"):
        url = str(config["OIDCDiscoveryURL"]).rstrip("/") + "/.well-known/openid-configuration"
        pem = config.get("OIDCDiscoveryCACert")
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, verify=_trust(pem)) as client:
            answer = (await client.get(url)).raise_for_status()
            if config.get("OIDCDiscoveryURL"):
                answer = (await client.get(str(answer.json()["jwks_uri"]))).raise_for_status()
            return jwtmethod.keys_of_jwks(answer.text)
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError) as error:
        raise LoginError(f"the keys cannot be fetched: {error}") from None


def _trust(pem: Any) -> Any:
    import ssl

    return ssl.create_default_context(cadata=str(pem)) if pem else True


async def logout(context: Context, request: Request) -> Answer:
    """Delete the caller's token, if it was made by a login."""
    acl = enabled(context)
    if not (request.token or acl.own("default")):
        raise HTTPError(401, "Supplied token does not exist")
    token = acl.token(request.token)
    if token is None:
        raise UnknownToken
    if not token.auth_method:
        raise Forbidden("Permission denied: token wasn't created via login")
    await context.commit(lambda draft: acl_tokens.delete(draft, token.accessor_id))
    return TRUE
