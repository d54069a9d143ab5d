"""Reads of sessions."""

from __future__ import annotations

from collections.abc import Iterable

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.model.session import Session
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.state import sessions
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import KV, SESSIONS


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


def locks(view: View, caller: Authorizer, session_ids: Iterable[str]) -> Result:
    """Read the keys that sessions hold, by session; those without visible keys are left out."""
    found: dict[str, list[str]] = {}
    filtered = False
    for session_id in session_ids:
        keys = sorted(entry.key for entry in view[KV].by("session", session_id))
        seen, hidden = visible(caller, keys, lambda key: caller.level("key", key) >= READ)
        filtered = filtered or hidden
        if seen:
            found[session_id] = seen
    return Result(found, view.index_of("kvs"), ("kvs",), filtered=filtered)


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
