"""What handlers ask about a request's token: who it is, what it may do, and what of an answer it may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer
from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.acl.rules import LEVELS, READ
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError

T = TypeVar("T")


def authorizer(context: Context, request: Request) -> Authorizer:
    """What the caller may do.  Raises UnknownToken."""
    return EVERYTHING if context.acl is None else context.acl.of(request.token)


def require(context: Context, request: Request, permission: str, name: str = "") -> Authorizer:
    """The caller's rights, if they hold a permission such as `operator:read`.  Raises Forbidden."""
    if context.acl is None:
        return EVERYTHING
    found = context.acl.of(request.token)
    kind, _, level = permission.partition(":")
    found.require(kind, LEVELS[level], name)
    return found


def enabled(context: Context) -> Resolver:
    """Access control.  Raises HTTPError 401 where nobody asks for tokens."""
    if context.acl is None:
        raise HTTPError(401, "ACL support disabled")
    return context.acl


def visible(caller: Authorizer, rows: list[T], test: Callable[[T], bool]) -> tuple[list[T], bool]:
    """The rows that the caller may see, and whether the answer must say that there are more.

    Those without a token are not told.
    """
    if caller.everything:
        return rows, False
    kept = [row for row in rows if test(row)]
    return kept, len(kept) < len(rows) and not caller.anonymous


def sees_check(caller: Authorizer, node: str, service: str) -> bool:
    """Whether the caller may see a check of the catalog: its node, and its service if it has one."""
    return caller.level("node", node) >= READ and (not service or caller.level("service", service) >= READ)


def sees_instance(caller: Authorizer, node: str, service: str) -> bool:
    """Whether the caller may see an instance: its service and its node."""
    return caller.level("service", service) >= READ and caller.level("node", node) >= READ


def readable(caller: Authorizer, kind: str, names: Iterable[str]) -> set[str]:
    """Those of the names that the caller may read."""
    return {name for name in names if caller.level(kind, name) >= READ}
