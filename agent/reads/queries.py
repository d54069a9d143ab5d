"""Reads of prepared queries, by their ACL rules.

https://developer.hashicorp.com/consul/docs/security/acl/acl-rules#prepared-query-rules
"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state import queries
from pyconsul.agent.state.contract import View

REDACTED = "<hidden>"  # shown instead of a query's token


def every(view: View, caller: Authorizer) -> Result:
    """Read the queries that the caller may list, by ID."""
    rows, filtered = _listed(caller, queries.all_queries(view))
    return Result(rows, view.index_of(queries.TOPIC), (queries.TOPIC,), filtered=filtered)


def one(view: View, caller: Authorizer, query_id: str) -> Result:
    """Read one query, as a list; None when it does not exist.  Raises PermissionDenied, Refused for an invalid ID."""
    query = queries.get(view, query_id)
    value = None if query is None else [visible_form(caller, query)]
    return Result(value, view.index_of(queries.TOPIC), (queries.TOPIC,))


def has_rules(query: PreparedQuery) -> bool:
    """Return whether ACL rules apply to a query; any caller who knows the ID of another one may see it."""
    return bool(query.name or query.template.type)


def visible_form(caller: Authorizer, query: PreparedQuery) -> PreparedQuery:
    """Return the query as the caller may see it.  Raises PermissionDenied."""
    if has_rules(query) and not _manages(caller) and not _may_read(caller, query):
        raise PermissionDenied("Permission denied")  # Consul says no more here
    return _redacted(caller, query)


def _listed(caller: Authorizer, rows: list[PreparedQuery]) -> tuple[list[PreparedQuery], bool]:
    """Return the queries that the caller may list, and whether the response states that some are hidden."""
    if _manages(caller):
        return rows, False
    seen = [_redacted(caller, row) for row in rows if has_rules(row) and _may_read(caller, row)]
    hidden = any(has_rules(row) and not _may_read(caller, row) for row in rows)
    return seen, hidden and not caller.anonymous


def _manages(caller: Authorizer) -> bool:
    return caller.everything or caller.allows("acl", WRITE)


def _may_read(caller: Authorizer, query: PreparedQuery) -> bool:
    return caller.level("query", query.name) >= READ


def _redacted(caller: Authorizer, query: PreparedQuery) -> PreparedQuery:
    """Return a query without the secret of its token, for those who do not manage access."""
    return replace(query, token=REDACTED) if query.token and not _manages(caller) else query
