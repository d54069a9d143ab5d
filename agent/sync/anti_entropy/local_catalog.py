"""The catalog of a server, which holds the state itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.catalog.checks import delete_check, ensure_check
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.catalog.services import delete_service, ensure_service
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.anti_entropy.contract import NodeRows
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


class LocalCatalog:
    """Reads `view`; `commit` makes an operation durable."""

    def __init__(self, view: View, commit: Callable[[Callable[[WriteTxn], None]], Awaitable[Any]]) -> None:
        self._view, self._commit = view, commit

    async def node_rows(self, name: str) -> NodeRows:
        """Return the rows of a node, checks in the order of their IDs."""
        view, key = self._view, name.lower()
        return NodeRows(
            view[NODES].get(key),
            {row.service.id: row.service for row in view[SERVICES].by("node", key)},
            {check.check_id: check for check in sorted(view[CHECKS].by("node", key), key=CHECKS.key)},
            len(view[NODES]),
        )

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        """Write changes as one operation; raises what the commit raises."""
        await self._commit(lambda txn: apply(txn, registration, pending))


def apply(txn: WriteTxn, registration: NodeRegistration, pending: Pending) -> None:
    """Write an agent's changes into the catalog; the node itself when it is marked or missing.

    Raises Refused when the node's name belongs to another one.
    """
    name = registration.node.node
    if pending.node or txn[NODES].get(name.lower()) is None:
        _register_node(txn, registration)
    for check_id in pending.gone_checks:
        delete_check(txn, name, check_id)
    for service_id in pending.gone_services:
        delete_service(txn, name, service_id)
    for row in pending.services:
        ensure_service(txn, name, row.service)
    for check, owner in pending.checks:
        _register_check(txn, name, check.check, owner.service if owner else None)


def _register_node(txn: WriteTxn, registration: NodeRegistration) -> None:
    ensure_node(txn, registration.node)
    if registration.service is not None:
        ensure_service(txn, registration.node.node, registration.service)
    if registration.check is not None:
        ensure_check(txn, registration.check)


def _register_check(txn: WriteTxn, node: str, check: HealthCheck, owner: NodeService | None) -> None:
    """Register a check, with its service when others have removed that from the catalog."""
    if check.service_id and txn[SERVICES].get((node.lower(), check.service_id)) is None:
        if owner is None:
            return
        ensure_service(txn, node, owner)
    ensure_check(txn, check)
