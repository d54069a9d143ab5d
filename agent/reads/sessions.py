"""Reads of sessions."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.model.session import Session
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.state import sessions
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import SESSIONS


def one(view: View, caller: Authorizer, session_id: str) -> Result:
    """Read one session, as a list."""
    session = view[SESSIONS].get(session_id)
    return _listed(view, caller, [session] if session else [], sessions.topic(session_id))


def of_node(view: View, caller: Authorizer, node: str) -> Result:
    """Read the sessions of a node."""
    return _listed(view, caller, sessions.of_node(view, node), sessions.topic_of_node(node))


def every(view: View, caller: Authorizer) -> Result:
    """Read all sessions."""
    return _listed(view, caller, sessions.all_sessions(view), "sessions")


def writable(view: View, caller: Authorizer, session_id: str) -> Session | None:
    """Return a session that the caller may write; None when it does not exist.  Raises PermissionDenied."""
    session = view[SESSIONS].get(session_id)
    if session is not None:
        caller.require("session", WRITE, session.node)
    return session


def _listed(view: View, caller: Authorizer, rows: list[Session], topic: str) -> Result:
    kept, filtered = visible(caller, rows, lambda row: caller.level("session", row.node) >= READ)
    # The index is that of all sessions, so only a list of all of them can be kept by its topic.
    return Result(kept, view.index_of("sessions"), (topic,), cacheable=topic == "sessions", filtered=filtered)
