"""Authorization: resolves the caller of a request, checks permissions, and filters rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, UnknownToken
from pyconsul.agent.acl.resolver import Resolver, Unread
from pyconsul.agent.acl.rules import LEVELS
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.core.router import Gate
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")


def resolve(context: Context, request: Request) -> None:
    """Resolve the caller of a request; handlers find the permissions, or the refusal, in `request.caller`."""
    if context.acl is None:
        request.authenticate(EVERYTHING)
        return
    try:
        request.authenticate(context.acl.of(request.token))
    except UnknownToken as error:
        request.authenticate(error)


def resolved_again(context: Context, request: Request) -> Authorizer:
    """Return the permissions that the caller has now: a handler that waited uses them for its response.  Raises UnknownToken."""
    resolve(context, request)
    return request.caller


async def resolved_later(context: Context, request: Request) -> Authorizer:
    """Return the permissions as `resolved_again` does, after a server was asked for them if that is due.  Raises UnknownToken."""
    unread = context.acl.unread(request.token) if context.acl is not None else None
    if unread is not None and not isinstance(unread, Unread):
        await unread
    return resolved_again(context, request)


def require_gate(context: Context, gate: Gate | None, request: Request) -> None:
    """Raises Forbidden unless the caller holds the permission that an endpoint asks for before its handler runs."""
    if gate is not None and context.acl is not None:
        request.caller.require(gate.kind, gate.level, context.config.node_name if gate.kind == "agent" else "")


def require(request: Request, permission: str, name: str = "") -> Authorizer:
    """Return the caller, who holds a permission such as `operator:read`.  Raises Forbidden."""
    kind, _, level = permission.partition(":")
    request.caller.require(kind, LEVELS[level], name)
    return request.caller


def authorized(
    request: Request, permission: str, operation: Callable[[WriteTxn], T], name: str = ""
) -> Callable[[WriteTxn], T]:
    """Return an operation that requires a permission of the caller before it does anything else."""
    caller = request.caller
    if caller.everything:
        return operation
    kind, _, level = permission.partition(":")
    wanted = LEVELS[level]

    def run(txn: WriteTxn) -> T:
        caller.require(kind, wanted, name)
        return operation(txn)

    return run


def enabled(context: Context) -> Resolver:
    """Return the resolver of tokens.  Raises HTTPError 401 when access control is disabled."""
    if context.acl is None:
        raise HTTPError(401, "ACL support disabled")
    return context.acl


def has_token(acl: Resolver, request: Request) -> bool:
    """Return whether the caller gave a token, or the default token of this agent stands for it."""
    return request.has_token or (not request.origin and bool(acl.own("default")))
