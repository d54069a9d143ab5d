"""Who may do what in a transaction: writes are refused one by one, reads are filtered afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconsul.agent.acl.access import READ, WRITE
from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.httpapi.access import sees_check
from pyconsul.agent.state.draft import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.transaction import (
    CheckOperation,
    KVOperation,
    NodeOperation,
    Operation,
    Rows,
    ServiceOperation,
)

# What they find is filtered.
FILTERED = ("get", "get-tree", "get-or-empty")
# Whether they succeed tells what is there.
TELLING = ("check-session", "check-index")


def denials(caller: Authorizer, view: View, operations: Sequence[Operation]) -> list[tuple[int, str]]:
    """The operations that the caller may not do: position and text."""
    if caller.everything:
        return []
    found = []
    for position, operation in enumerate(operations):
        try:
            _require(caller, view, operation)
        except PermissionDenied as error:
            found.append((position, str(error)))
    return found


def _require(caller: Authorizer, view: View, operation: Operation) -> None:
    if operation.verb in FILTERED:
        return
    if isinstance(operation, KVOperation):
        if operation.verb == "delete-tree":
            caller.require_tree(operation.key)
        else:
            caller.require("key", READ if operation.verb in TELLING else WRITE, operation.key)
    elif isinstance(operation, NodeOperation):
        caller.require("node", WRITE, _node_name(view, operation))
    elif isinstance(operation, ServiceOperation):
        _require_service(caller, view, operation)
    else:
        _require_check(caller, view, operation)


def _node_name(view: View, operation: NodeOperation) -> str:
    """An operation may name a node by its ID alone."""
    if operation.node.node or not operation.node.id:
        return operation.node.node
    found = view[NODES].by("id", operation.node.id.lower())
    return found[0].node if found else ""


def _require_service(caller: Authorizer, view: View, operation: ServiceOperation) -> None:
    old = view[SERVICES].get((operation.node.lower(), operation.service.id))
    names = [operation.service.service, old.service.service if old else ""]
    for name in dict.fromkeys(name for name in names if name):
        caller.require("service", WRITE, name)
    if not any(names):
        caller.require("service", WRITE, operation.service.id)


def _require_check(caller: Authorizer, view: View, operation: CheckOperation) -> None:
    check = operation.check
    old = view[CHECKS].get((check.node.lower(), check.check_id))
    for service_id in dict.fromkeys((check.service_id, old.service_id if old else check.service_id)):
        if not service_id:
            caller.require("node", WRITE, check.node)
            continue
        owner = view[SERVICES].get((check.node.lower(), service_id))
        caller.require("service", WRITE, owner.service.service if owner else check.service_name or service_id)


def shown(caller: Authorizer, operations: Sequence[Operation], rows: Rows) -> tuple[Rows, bool]:
    """The results that the caller may see, and whether there are more."""
    if caller.everything:
        return rows, False
    nodes = {
        operation.service.id: operation.node for operation in operations if isinstance(operation, ServiceOperation)
    }
    kept = [row for row in rows if _sees(caller, row, nodes)]
    return kept, len(kept) < len(rows)


def _sees(caller: Authorizer, row: dict[str, Any], nodes: dict[str, str]) -> bool:
    (kind, value), *_ = row.items()
    if kind == "KV":
        return caller.level("key", value.key) >= READ
    if kind == "Node":
        return caller.level("node", value.node) >= READ
    if kind == "Service":
        node = nodes.get(value.id, "")
        return caller.level("service", value.service) >= READ and caller.level("node", node) >= READ
    return sees_check(caller, value.node, value.service_name)
