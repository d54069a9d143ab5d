"""Permissions of prepared queries (https://developer.hashicorp.com/consul/docs/security/acl/acl-rules#prepared-query-rules)."""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import SESSIONS

REDACTED = "<hidden>"  # what is shown instead of a query's token


def named(query: PreparedQuery) -> bool:
    """Return whether ACL rules apply to a query; any caller who knows the ID of another one may see it."""
    return bool(query.name or query.template.type)


def manages(caller: Authorizer) -> bool:
    return caller.everything or caller.allows("acl", WRITE)


def reads(caller: Authorizer, query: PreparedQuery) -> bool:
    return caller.level("query", query.name) >= READ


def redacted(caller: Authorizer, query: PreparedQuery) -> PreparedQuery:
    """Return a query without the secret of its token, for those who do not manage access."""
    return replace(query, token=REDACTED) if query.token and not manages(caller) else query


def listed(caller: Authorizer, rows: list[PreparedQuery]) -> tuple[list[PreparedQuery], bool]:
    """Return the queries that the caller may list, and whether the response states that some are hidden."""
    if manages(caller):
        return rows, False
    seen = [redacted(caller, row) for row in rows if named(row) and reads(caller, row)]
    hidden = any(named(row) and not reads(caller, row) for row in rows)
    return seen, hidden and not caller.anonymous


def may_see(caller: Authorizer, query: PreparedQuery) -> PreparedQuery:
    """Return the query as the caller may see it.  Raises PermissionDenied."""
    if named(query) and not manages(caller) and not reads(caller, query):
        raise PermissionDenied("Permission denied")  # Consul says no more here
    return redacted(caller, query)


def require_write(caller: Authorizer, view: View, query: PreparedQuery) -> None:
    """Raises PermissionDenied unless the caller may write a query.

    An unnamed one lives with its session, and any token that knows the session may write it; without a token,
    `session:write` is needed.
    """
    if named(query):
        caller.require("query", WRITE, query.name)
    elif caller.anonymous and (session := view[SESSIONS].get(query.session)) is not None:
        caller.require("session", WRITE, session.node)
