"""A batch of registrations: changes of one agent's rows that one token authorizes, as another agent's server writes them.

The rules are those of `/v1/catalog/register` and `/v1/catalog/deregister`.  A row that the token does not permit is left out and
reported; all others are written together.
"""

from __future__ import annotations

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.catalog_writes import require_node, require_old_check, require_service
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import Unavailable, View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.anti_entropy.blocked import Refusal
from pyconsul.agent.sync.anti_entropy.diff import same_node
from pyconsul.agent.sync.anti_entropy.local_catalog import apply
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


class OwnedCheck(msgspec.Struct, frozen=True):
    """A check, and the service that it belongs to."""

    check: HealthCheck
    owner: NodeService | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of one node's rows.  writes_node: write the node's own data even if the node is registered already."""

    node: Node
    writes_node: bool = False
    services: list[NodeService] = []
    checks: list[OwnedCheck] = []
    gone_services: list[str] = []
    gone_checks: list[str] = []


class Outcome(msgspec.Struct, frozen=True):
    """The rows of a batch that were not written, since its token does not permit them; `wrote_nothing`: all of them."""

    refused: list[Refusal] = []
    wrote_nothing: bool = False


class NodeMissing(Unavailable):
    """The node of a batch is not registered, and its token may not register it; another token or the leader will."""

    def __init__(self, node: str) -> None:
        super().__init__(f'node "{node}" is not in the catalog yet, and the token may not register it')


def write(txn: WriteTxn, caller: Authorizer, batch: Batch) -> Outcome:
    """Write the permitted rows of a batch.  Raises NodeMissing, Refused."""
    permits = _Permits(caller, txn, batch.node.node)
    writes_node = (batch.writes_node and _node_differs(txn, batch.node)) or _lacks_node(txn, batch.node)
    if writes_node and not permits.node(batch.node):
        if _lacks_node(txn, batch.node):
            raise NodeMissing(batch.node.node)
        writes_node = False
    pending = Pending(
        writes_node,
        [ServiceRow(service) for service in batch.services if permits.service(service)],
        [_rows(one) for one in batch.checks if permits.check(one)],
        [service_id for service_id in batch.gone_services if permits.gone_service(service_id)],
        [check_id for check_id in batch.gone_checks if permits.gone_check(check_id)],
    )
    apply(txn, NodeRegistration(batch.node, None, None), pending)
    return Outcome(permits.refused, wrote_nothing=bool(permits.refused) and not pending)


def _rows(one: OwnedCheck) -> tuple[CheckRow, ServiceRow | None]:
    return CheckRow(one.check), ServiceRow(one.owner) if one.owner else None


def _lacks_node(view: View, node: Node) -> bool:
    return view[NODES].get(node.node.lower()) is None


def _node_differs(view: View, node: Node) -> bool:
    old = view[NODES].get(node.node.lower())
    return old is None or not same_node(old, node)


class _Permits:
    """Authorizes the rows of a node.  refused: those that the caller may not write."""

    def __init__(self, caller: Authorizer, view: View, node: str) -> None:
        self._caller, self._view, self._node = caller, view, node
        self.refused: list[Refusal] = []

    def node(self, node: Node) -> bool:
        try:
            require_node(self._caller, self._view, node)
        except PermissionDenied:
            return self._refuse("node", node.node, "node", node.node)
        return True

    def service(self, service: NodeService) -> bool:
        try:
            require_service(self._caller, self._view, self._node, service)
        except PermissionDenied:
            return self._refuse("service", service.id, "service", service.service)
        return True

    def check(self, one: OwnedCheck) -> bool:
        check, caller = one.check, self._caller
        row = self._view[SERVICES].get((self._node.lower(), check.service_id)) if check.service_id else None
        owner = row.service if row is not None else one.owner
        try:
            if not check.service_id:
                caller.require("node", WRITE, self._node)
            elif owner is not None:
                require_service(caller, self._view, self._node, owner)
            require_old_check(caller, self._view, self._node, check.check_id)
        except PermissionDenied:
            resource, name = ("service", owner.service) if owner is not None else ("node", self._node)
            return self._refuse("check", check.check_id, resource, name)
        return True

    def gone_service(self, service_id: str) -> bool:
        row = self._view[SERVICES].get((self._node.lower(), service_id))
        if row is None or self._may_remove(row.service.service):
            return True
        return self._refuse("service", service_id, "node", self._node, removes=True)

    def gone_check(self, check_id: str) -> bool:
        row = self._view[CHECKS].get((self._node.lower(), check_id))
        if row is None or self._may_remove(row.service_name if row.service_id else ""):
            return True
        return self._refuse("check", check_id, "node", self._node, removes=True)

    def _may_remove(self, service: str) -> bool:
        """Return whether the caller may remove a row of the node, or of a service on it; `node:write` allows both."""
        caller = self._caller
        return caller.allows("node", WRITE, self._node) or (bool(service) and caller.allows("service", WRITE, service))

    def _refuse(self, kind: str, row_id: str, resource: str, name: str, *, removes: bool = False) -> bool:
        self.refused.append(Refusal(kind, row_id, self._caller.accessor, resource, name, removes))
        return False
