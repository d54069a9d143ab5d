"""Permissions to write prepared queries."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.reads.queries import has_rules
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import SESSIONS


def require_write(caller: Authorizer, view: View, query: PreparedQuery) -> None:
    """Raises PermissionDenied unless the caller may write a query.

    An unnamed one lives with its session, and any token that knows the session may write it; without a token,
    `session:write` is needed.
    """
    if has_rules(query):
        caller.require("query", WRITE, query.name)
    elif caller.anonymous and (session := view[SESSIONS].get(query.session)) is not None:
        caller.require("session", WRITE, session.node)
