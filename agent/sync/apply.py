"""Writes what an agent holds into the catalog, as one operation."""

from __future__ import annotations

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.catalog.checks import delete_check, ensure_check
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.catalog.services import delete_service, ensure_service
from pyconsul.agent.state.schemas import NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


def apply(txn: WriteTxn, me: NodeRegistration, pending: Pending) -> None:
    """Bring the catalog in line.  The node is written when it is told to, or when it is not there.

    Raises Refused when the node's name belongs to another one.
    """
    name = me.node.node
    if pending.node or txn[NODES].get(name.lower()) is None:
        _register_member(txn, me)
    for check_id in pending.gone_checks:
        delete_check(txn, name, check_id)
    for service_id in pending.gone_services:
        delete_service(txn, name, service_id)
    for row in pending.services:
        ensure_service(txn, name, row.service)
    for check, owner in pending.checks:
        _register_check(txn, name, check.check, owner.service if owner else None)


def _register_member(txn: WriteTxn, me: NodeRegistration) -> None:
    ensure_node(txn, me.node)
    if me.service is not None:
        ensure_service(txn, me.node.node, me.service)
    ensure_check(txn, me.check)


def _register_check(txn: WriteTxn, node: str, check: HealthCheck, owner: NodeService | None) -> None:
    """Somebody may have removed the check's service from the catalog; without it the check cannot be there."""
    if check.service_id and txn[SERVICES].get((node.lower(), check.service_id)) is None:
        if owner is None:
            return
        ensure_service(txn, node, owner)
    ensure_check(txn, check)
