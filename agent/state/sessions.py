"""Sessions: reads, and the writes that make and end them.  What a session holds goes with it.

https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions
"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL
from pyconsul.agent.model.kv import LockDelay
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import kv, queries
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import CHECKS, KV, LOCK_DELAYS, NODES, QUERIES, SESSIONS
from pyconsul.agent.state.write_txn import WriteTxn

RELEASE = "release"
DELETE = "delete"
MAX_LOCK_DELAY = 60.0  # seconds


def all_sessions(view: View) -> list[Session]:
    """Every session, by ID."""
    return sorted(view[SESSIONS], key=SESSIONS.key)


def of_node(view: View, node: str) -> list[Session]:
    return sorted(view[SESSIONS].by("node", node.lower()), key=SESSIONS.key)


def topic(session_id: str) -> str:
    """The watch topic of one session."""
    return "session/" + session_id


def topic_of_node(node: str) -> str:
    """The watch topic of a node's sessions."""
    return "sessions/" + node.lower()


def _touch(txn: WriteTxn, session: Session) -> None:
    txn.touch("sessions")
    txn.wake(topic(session.id))
    txn.wake(topic_of_node(session.node))


def create(txn: WriteTxn, session: Session) -> None:
    """Add a session.  Raises Refused when its node or one of its checks is not there, or the check is critical."""
    node = txn[NODES].get(session.node.lower())
    if node is None:
        raise Refused("Missing node registration")
    for check_id in [*(session.node_checks or ()), *(check.id for check in session.service_checks or ())]:
        check = txn[CHECKS].get((node.node.lower(), check_id))
        if check is None:
            raise Refused(f"Missing check '{check_id}' registration")
        if check.status == CRITICAL:
            raise Refused(f"Check '{check_id}' is in critical state")
    txn.put(SESSIONS, replace(session, node=node.node, create_index=txn.index, modify_index=txn.index))
    _touch(txn, session)


def destroy(txn: WriteTxn, session_id: str) -> None:
    """End a session: what it holds is released, or deleted, and cannot be locked again for its lock-delay."""
    session = txn[SESSIONS].get(session_id)
    if session is None:
        return
    txn.delete(SESSIONS, session_id)
    _touch(txn, session)
    for entry in txn[KV].by("session", session_id):
        if session.behavior == DELETE:
            kv.delete(txn, entry.key)
        else:
            kv.release(txn, entry.key, entry.value, entry.flags, session_id)
        if session.lock_delay > 0:
            delay = min(session.lock_delay / 1e9, MAX_LOCK_DELAY)
            txn.put(LOCK_DELAYS, LockDelay(entry.key, txn.now + delay, delay))
    for query in txn[QUERIES].by("session", session_id):
        queries.delete_query(txn, query.id)


def invalidate_check(txn: WriteTxn, node: str, check_id: str) -> None:
    """End the sessions that depend on a check."""
    for session in txn[SESSIONS].by("check", (node.lower(), check_id)):
        destroy(txn, session.id)


def invalidate_node(txn: WriteTxn, node: str) -> None:
    """End the sessions of a node."""
    for session in txn[SESSIONS].by("node", node.lower()):
        destroy(txn, session.id)
