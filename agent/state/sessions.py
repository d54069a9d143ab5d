"""Sessions and the delays of their locks: reads, and the writes that create and destroy them.

https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL
from pyconsul.agent.model.kv import LockDelay
from pyconsul.agent.model.session import Session
from pyconsul.agent.state import kv, queries, topics
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import CHECKS, KV, LOCK_DELAYS, NODES, QUERIES, SESSIONS
from pyconsul.agent.state.write_txn import WriteTxn

RELEASE = "release"
DELETE = "delete"
topic, topic_of_node = topics.of_session, topics.of_node_sessions
MAX_LOCK_DELAY = 60.0  # seconds


def all_sessions(view: View) -> list[Session]:
    """Return every session, by ID."""
    return sorted(view[SESSIONS], key=SESSIONS.key)


def of_node(view: View, node: str) -> list[Session]:
    return sorted(view[SESSIONS].by("node", node.lower()), key=SESSIONS.key)


def create(txn: WriteTxn, session: Session) -> None:
    """Add a session.  Raises Refused when its node or one of its checks does not exist, or a check is critical."""
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
    txn.raise_index("sessions")


def destroy(txn: WriteTxn, session_id: str) -> None:
    """Destroy a session: its keys are released or deleted, and cannot be locked again for its lock delay."""
    session = txn[SESSIONS].get(session_id)
    if session is None:
        return
    txn.delete(SESSIONS, session_id)
    txn.raise_index("sessions")
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


def cap_lock_delays(rows: Iterable[tuple[str, Any]], now: float) -> Iterator[tuple[str, Any]]:
    """Return stored rows, (table name, row) each, with no lock delay longer than it was to last in all.

    `now` is the time of the start; it may be earlier than the rows were written, when the clock was set back meanwhile.
    """
    for table, row in rows:
        if table == LOCK_DELAYS.name:
            yield table, replace(row, until=min(row.until, now + row.delay))
        else:
            yield table, row


def has_expired_lock_delays(view: View, now: float) -> bool:
    """Return whether there are lock delays to drop."""
    return any(row.until <= now for row in view[LOCK_DELAYS])


def drop_expired_lock_delays(txn: WriteTxn) -> None:
    """Drop the lock delays that have ended."""
    for row in [row for row in txn[LOCK_DELAYS] if row.until <= txn.now]:
        txn.delete(LOCK_DELAYS, row.key)
