"""The operations of the reconciliation on the catalog.  Pure."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from pyconsul.agent.model.check import serf_check
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.catalog.checks import ensure_check
from pyconsul.agent.state.catalog.nodes import delete_node, ensure_node
from pyconsul.agent.state.catalog.services import ensure_service
from pyconsul.agent.state.write_txn import WriteTxn


class Register(msgspec.Struct, frozen=True):
    """Register a living member; `takes_name`: remove the node that has its name first."""

    node: Node
    service: NodeService | None
    takes_name: bool = False


class MarkFailed(msgspec.Struct, frozen=True):
    """Set the `serfHealth` of a node to critical."""

    node: str
    reason: str


class Deregister(msgspec.Struct, frozen=True):
    """Remove a node with its services, checks and sessions."""

    node: str
    reason: str


class Conflict(msgspec.Struct, frozen=True):
    """A living member that is not registered; `reason` says whose its name or ID is."""

    member: str
    reason: str


Operation: TypeAlias = Register | MarkFailed | Deregister | Conflict


def apply(txn: WriteTxn, operation: Operation) -> None:
    """Write one operation into the catalog.  Raises Refused."""
    if isinstance(operation, Deregister):
        delete_node(txn, operation.node)
    elif isinstance(operation, MarkFailed):
        ensure_check(txn, serf_check(operation.node, is_alive=False))
    elif isinstance(operation, Register):
        name = operation.node.node
        if operation.takes_name:
            delete_node(txn, name)
        ensure_node(txn, operation.node)
        if operation.service is not None:
            ensure_service(txn, name, operation.service)
        ensure_check(txn, serf_check(name, is_alive=True))
