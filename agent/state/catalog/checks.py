"""Health checks in the catalog: reads, and the writes that add and remove them."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL, HealthCheck
from pyconsul.agent.state import sessions, topics
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn


def by_key(checks: Iterable[HealthCheck]) -> list[HealthCheck]:
    """Sort checks by node and ID."""
    return sorted(checks, key=CHECKS.key)


def of_node(view: View, node: str) -> list[HealthCheck]:
    return by_key(view[CHECKS].by("node", node.lower()))


def of_service(view: View, name: str) -> list[HealthCheck]:
    return by_key(view[CHECKS].by("service", name.lower()))


def in_state(view: View, state: str) -> list[HealthCheck]:
    """Return the checks in a state; "any" means all."""
    return by_key(view[CHECKS] if state == "any" else view[CHECKS].by("status", state))


def ensure_check(txn: WriteTxn, check: HealthCheck) -> None:
    """Add or update a check; it takes its service's name and tags, and an identical one is left alone.

    Sessions that depend on it end when it is critical.  Raises Refused when its node or service is not registered.
    """
    node = txn[NODES].get(check.node.lower())
    if node is None:
        raise Refused("Missing node registration")
    name, tags = "", []
    if check.service_id:
        instance = txn[SERVICES].get((node.node.lower(), check.service_id))
        if instance is None:
            raise Refused(f"Unknown service ID '{check.service_id}' for check ID '{check.check_id}'")
        name, tags = instance.service.service, instance.service.tags
    old = txn[CHECKS].get((node.node.lower(), check.check_id))
    created, modified = (old.create_index, old.modify_index) if old else (txn.index, txn.index)
    check = replace(
        check,
        node=node.node,
        status=check.status or CRITICAL,
        service_name=name,
        service_tags=tags,
        create_index=created,
        modify_index=modified,
    )
    if check != old:
        txn.put(CHECKS, replace(check, modify_index=txn.index))
        _raise_indexes(txn, check)
        if old is not None and old.service_id != check.service_id:
            _raise_indexes(txn, old)
    if check.status == CRITICAL:
        sessions.invalidate_check(txn, node.node, check.check_id)


def delete_check(txn: WriteTxn, node: str, check_id: str) -> None:
    """Remove a check, and the sessions that depend on it; a missing one is ignored."""
    old = txn[CHECKS].get((node.lower(), check_id))
    if old is None:
        return
    txn.delete(CHECKS, (node.lower(), check_id))
    _raise_indexes(txn, old)
    sessions.invalidate_check(txn, node, check_id)


def _raise_indexes(txn: WriteTxn, check: HealthCheck) -> None:
    txn.raise_index("checks")
    if check.service_id:
        txn.raise_index(topics.of_service(check.service_name))
    else:
        raise_services_on(txn, check.node)


def raise_services_on(txn: WriteTxn, node: str) -> None:
    """Raise the index of every service that has an instance on a node."""
    txn.raise_index(*{topics.of_service(row.service.service) for row in txn[SERVICES].by("node", node.lower())})
