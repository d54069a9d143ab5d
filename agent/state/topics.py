"""The names of indexes that are also watch topics: "nodes", "services", "checks", "kvs", … and one for every service.

A service's index is moved by whatever shows in its answers: an instance, its checks, its
node, its node's checks.
"""

from __future__ import annotations

from pyconsul.agent.state.schemas import SERVICES
from pyconsul.agent.state.write_txn import WriteTxn

EXTINCTION = "service_last_extinction"  # when the last instance of some service went away


def of_service(name: str) -> str:
    """The index of a service."""
    return "service." + name.lower()


def checks_of(kind: str, name: str) -> str:
    """The watch topic of the checks of one service, node or state (`kind`); it has no index of its own."""
    return f"checks.{kind}.{name.lower()}"


def watching(name: str, exists: bool) -> tuple[str, ...]:
    """What a reader of a service waits for; of one that is not there, also that another one goes away."""
    return (of_service(name),) if exists else (of_service(name), EXTINCTION)


def touch_services_on(txn: WriteTxn, node: str) -> None:
    """Move the index of every service that has an instance on a node."""
    txn.touch(*{of_service(row.service.service) for row in txn[SERVICES].by("node", node.lower())})
