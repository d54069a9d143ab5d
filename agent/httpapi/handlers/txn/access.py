"""Authorization of transactions: each write is authorized, and results are filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.catalog_writes import require_node, require_old_check
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.handlers.catalog.access import refuse_agents_check
from pyconsul.agent.model.node import Node
from pyconsul.agent.reads.visibility import sees_check, sees_instance
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import NODES, SERVICES
from pyconsul.agent.state.txn_operations import (
    CheckOperation,
    KVOperation,
    NodeOperation,
    Operation,
    Rows,
    ServiceOperation,
)

# Their results are filtered.
FILTERED = ("get", "get-tree", "get-or-empty")
# Their success reveals the state of a key.
TELLING = ("check-session", "check-index")


def denials(caller: Authorizer, view: View, operations: Sequence[Operation], context: Context) -> list[tuple[int, str]]:
    """Return the forbidden operations, by position and text."""
    found = ((position, refusal(caller, view, operation, context)) for position, operation in enumerate(operations))
    return [(position, text) for position, text in found if text is not None]


def refusal(caller: Authorizer, view: View, operation: Operation, context: Context, again: bool = False) -> str | None:
    """Return the refusal of an operation; None when the caller may do it.

    `again`: asked for a second time, right before it runs.  Then only rows that are there matter, not names that were given.
    """
    if operation.verb in FILTERED:
        return None
    try:
        if isinstance(operation, CheckOperation):
            refuse_agents_check(context, operation.check.node, operation.check.check_id)
        if not caller.everything:
            _require(caller, view, operation, again)
    except PermissionDenied as error:
        return str(error)
    return None


def _require(caller: Authorizer, view: View, operation: Operation, again: bool) -> None:
    if isinstance(operation, KVOperation):
        if operation.verb == "delete-tree":
            caller.require_tree(operation.key)
        else:
            caller.require("key", READ if operation.verb in TELLING else WRITE, operation.key)
    elif isinstance(operation, NodeOperation):
        _require_node(caller, view, operation.node)
    elif isinstance(operation, ServiceOperation):
        _require_service(caller, view, operation, again)
    else:
        _require_check(caller, view, operation, again)


def _require_node(caller: Authorizer, view: View, node: Node) -> None:
    """Require permission for the node of an operation, which may be named by its ID alone."""
    named_by_id = not node.node and view[NODES].by("id", node.id.lower())
    require_node(caller, view, replace(node, node=named_by_id[0].node) if named_by_id else node)


def _require_service(caller: Authorizer, view: View, operation: ServiceOperation, again: bool) -> None:
    old = view[SERVICES].get((operation.node.lower(), operation.service.id))
    names = [operation.service.service, old.service.service if old else ""]
    for name in dict.fromkeys(name for name in names if name):
        caller.require("service", WRITE, name)
    if not any(names) and not again:
        caller.require("service", WRITE, operation.service.id)


def _require_check(caller: Authorizer, view: View, operation: CheckOperation, again: bool) -> None:
    check = operation.check
    owner = view[SERVICES].get((check.node.lower(), check.service_id))
    if owner is not None:
        caller.require("service", WRITE, owner.service.service)
    elif not check.service_id:
        caller.require("node", WRITE, check.node)
    elif not again:
        caller.require("service", WRITE, check.service_name or check.service_id)
    require_old_check(caller, view, check.node, check.check_id)


def shown(caller: Authorizer, rows: Rows) -> tuple[Rows, bool]:
    """Return the results that the caller may see, and whether some are hidden."""
    if caller.everything:
        return rows, False
    kept = [row for row in rows if _sees(caller, row)]
    return kept, len(kept) < len(rows)


def _sees(caller: Authorizer, row: dict[str, Any]) -> bool:
    (kind, value), *_ = row.items()
    if kind == "KV":
        return caller.level("key", value.key) >= READ
    if kind == "Node":
        return caller.level("node", value.node) >= READ
    if kind == "Service":
        return sees_instance(caller, value.node, value.service.service)
    return sees_check(caller, value.node, value.service_name)
