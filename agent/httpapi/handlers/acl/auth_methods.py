"""/v1/acl/auth-method and /v1/acl/binding-rule.

https://developer.hashicorp.com/consul/api-docs/acl/auth-methods and https://developer.hashicorp.com/consul/api-docs/acl/binding-rules
"""

from __future__ import annotations

from pyconsul.agent.acl.methods.binding import BIND_TYPES
from pyconsul.agent.acl.methods.jwtmethod import Claims, check_config
from pyconsul.agent.acl.methods.methodconfig import ConfigError, check_unsupported
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import authorized, enabled
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Query, Response, Result, json_response
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import AuthMethodBody, BindingRuleBody
from pyconsul.agent.httpapi.handlers.acl.resource import Resource
from pyconsul.agent.model.acl import AuthMethod, BindingRule
from pyconsul.agent.reads import acl as reads
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn

TYPES = ("aws-iam", "jwt", "kubernetes")  # Consul's


METHOD = Resource(
    "auth method",
    "AuthMethod",
    reads.auth_method,
    lambda view, row: show.auth_method(row),
    acl_auth.delete_method,
    "name",
)
RULE = Resource(
    "binding rule", "BindingRule", reads.binding_rule, lambda view, row: show.binding_rule(row), acl_auth.delete_rule
)


def list_methods(context: Context, request: Request) -> Query:
    """Return the auth methods, without their configuration."""
    enabled(context)

    def read() -> Result:
        result = reads.auth_methods(context.view, request.caller)
        return result.shown_as([show.auth_method(row, stub=True) for row in result.value])

    return Query(read)


async def update_method(context: Context, request: Request) -> Response:
    """Create or change an auth method."""
    return await _write_method(context, request, METHOD.key(context, request))


async def create_method(context: Context, request: Request) -> Response:
    """Create or change an auth method."""
    enabled(context)
    return await _write_method(context, request, "")


async def _write_method(context: Context, request: Request, name: str) -> Response:
    body = decode(request.body, AuthMethodBody, "AuthMethod decoding failed: ")
    refuse_control_characters(context, body)
    if name:
        METHOD.check_key(body.name, name)
    method = AuthMethod(
        name=body.name or name,
        type=body.type,
        display_name=body.display_name,
        description=body.description,
        max_token_ttl=body.max_token_ttl,
        token_locality=body.token_locality,
        token_name_format=body.token_name_format,
        config=body.config,
    )

    def write(txn: WriteTxn) -> AuthMethod:
        _check_method(method)
        return acl_auth.put_method(txn, method)

    return json_response(show.auth_method(await context.commit(authorized(request, "acl:write", write))))


def _check_method(method: AuthMethod) -> None:
    if method.name and method.type not in TYPES:
        raise Refused(f"Invalid Auth Method: Type should be one of: [{' '.join(TYPES)}]")
    if method.token_locality not in ("", "local", "global"):
        raise Refused(
            f"Invalid Auth Method: TokenLocality '{method.token_locality}' should be one of 'local' or 'global'"
        )
    if method.max_token_ttl < 0:
        raise Refused("Invalid Auth Method: MaxTokenTTL cannot be negative")
    try:
        if method.type in ("", "jwt"):
            check_config(method.config)
        else:
            check_unsupported(method.type, method.config)
    except ConfigError as error:
        raise Refused(f"Invalid Auth Method: {error}") from None


def list_rules(context: Context, request: Request) -> Query:
    """Return the binding rules; with `?authmethod` those of a method."""
    enabled(context)
    method = request.params.get("authmethod", "")

    def read() -> Result:
        result = reads.binding_rules(context.view, request.caller, method)
        return result.shown_as([show.binding_rule(row) for row in result.value])

    return Query(read)


async def update_rule(context: Context, request: Request) -> Response:
    """Change a binding rule."""
    return await _write_rule(context, request, RULE.key(context, request))


async def create_rule(context: Context, request: Request) -> Response:
    """Create a binding rule."""
    enabled(context)
    return await _write_rule(context, request, "")


async def _write_rule(context: Context, request: Request, rule_id: str) -> Response:
    """Write a rule; without an ID a new one."""
    body = decode(request.body, BindingRuleBody, "BindingRule decoding failed: ")
    refuse_control_characters(context, body)
    if rule_id:
        RULE.check_key(body.id, rule_id)
    rule = BindingRule(
        id=rule_id or RULE.new_key(body.id),
        auth_method=body.auth_method,
        bind_type=body.bind_type,
        bind_name=body.bind_name,
        description=body.description,
        selector=body.selector,
        bind_vars={"Name": body.bind_vars.name} if body.bind_vars else None,
    )

    def write(txn: WriteTxn) -> BindingRule:
        row = acl_auth.put_rule(txn, rule, new=not rule_id)
        _check_rule(row)
        return row

    return json_response(show.binding_rule(await context.commit(authorized(request, "acl:write", write))))


def _check_rule(rule: BindingRule) -> None:
    if rule.selector:
        try:
            compile_filter(rule.selector, Claims)
        except FilterError as error:
            raise Refused(f"invalid Binding Rule: Selector is invalid: {error}") from None
    if not rule.bind_type:
        raise Refused("Invalid Binding Rule: no BindType is set")
    if rule.bind_type not in BIND_TYPES:
        raise Refused(f'Invalid Binding Rule: unknown BindType "{rule.bind_type}"')
    if not rule.bind_name:
        raise Refused("Invalid Binding Rule: no BindName is set")


ROUTES = (
    Route("/v1/acl/auth-methods", {"GET": Read(list_methods, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/auth-method", {"PUT": Write(create_method, "handler acl:write")}),
    Route(
        "/v1/acl/auth-method/",
        {
            "GET": Read(METHOD.show, "handler acl:read"),
            "PUT": Write(update_method, "handler acl:write"),
            "DELETE": Write(METHOD.delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
    Route("/v1/acl/binding-rules", {"GET": Read(list_rules, "handler acl:read")}, meta_on_error=True),
    Route("/v1/acl/binding-rule", {"PUT": Write(create_rule, "handler acl:write")}),
    Route(
        "/v1/acl/binding-rule/",
        {
            "GET": Read(RULE.show, "handler acl:read"),
            "PUT": Write(update_rule, "handler acl:write"),
            "DELETE": Write(RULE.delete, "handler acl:write"),
        },
        meta_on_error=True,
    ),
)
