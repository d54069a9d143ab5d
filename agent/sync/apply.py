"""Writes what an agent holds into the catalog, as one operation."""

from __future__ import annotations

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.checks import delete_check, ensure_check
from pyconsul.agent.state.draft import Draft
from pyconsul.agent.state.nodes import ensure_node
from pyconsul.agent.state.schemas import NODES, SERVICES
from pyconsul.agent.state.services import delete_service, ensure_service
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


def apply(draft: Draft, me: NodeRegistration, pending: Pending) -> None:
    """Bring the catalog in line.  The node is written when it is told to, or when it is not there.

    Raises Refused when the node's name belongs to another one.
    """
    name = me.node.node
    if pending.node or draft[NODES].get(name.lower()) is None:
        _register_member(draft, me)
    for check_id in pending.gone_checks:
        delete_check(draft, name, check_id)
    for service_id in pending.gone_services:
        delete_service(draft, name, service_id)
    for row in pending.services:
        ensure_service(draft, name, row.service)
    for check, owner in pending.checks:
        _register_check(draft, name, check.check, owner.service if owner else None)


def _register_member(draft: Draft, me: NodeRegistration) -> None:
    ensure_node(draft, me.node)
    if me.service is not None:
        ensure_service(draft, me.node.node, me.service)
    ensure_check(draft, me.check)


def _register_check(draft: Draft, node: str, check: HealthCheck, owner: NodeService | None) -> None:
    """Somebody may have removed the check's service from the catalog; without it the check cannot be there."""
    if check.service_id and draft[SERVICES].get((node.lower(), check.service_id)) is None:
        if owner is None:
            return
        ensure_service(draft, node, owner)
    ensure_check(draft, check)
