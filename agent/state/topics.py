"""Names of indexes and of watch topics.

An index is a topic, too: "nodes", "services", "checks", "kvs", … and one for every service.  A service's index is raised by
whatever shows in its answers: an instance, its checks, its node, its node's checks.  All other topics have no index.
"""

from __future__ import annotations

EXTINCTION = "service_last_extinction"  # index: when the last instance of some service was removed
ACL = "acl"  # topic: everything that decides about permissions


def of_service(name: str) -> str:
    """Return the index of a service."""
    return "service." + name.lower()


def of_key(key: str) -> str:
    """Return the topic of a key; of a prefix, when watched as one."""
    return "kv/" + key


def of_session(session_id: str) -> str:
    """Return the topic of one session."""
    return "session/" + session_id


def of_node_sessions(node: str) -> str:
    """Return the topic of a node's sessions."""
    return "sessions/" + node.lower()


def checks_of(kind: str, name: str) -> str:
    """Return the topic of the checks of one service, node or state (`kind`)."""
    return f"checks.{kind}.{name.lower()}"


def watching(name: str, exists: bool) -> tuple[str, ...]:
    """Return the topics of a reader of a service; without instances, the removal of another service too."""
    return (of_service(name),) if exists else (of_service(name), EXTINCTION)
