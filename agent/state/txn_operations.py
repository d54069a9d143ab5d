"""Transactions: several operations at once, all or none (https://developer.hashicorp.com/consul/api-docs/txn).

Every operation sees what those before it did.  One that fails does not stop the others: all
failures are reported, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from pyconsul.agent.common.steps import Steps, finish
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.state import kv
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.schemas import CHECKS, KV, LOCK_DELAYS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn

Rows: TypeAlias = list[dict[str, Any]]  # results: {"KV": KVEntry}, {"Node": Node}, {"Service": ServiceInstance}, …


DELETE_TREE = "delete-tree"  # the one verb that may write very many rows
STALE = "index is stale"
READING = {"get", "get-tree", "get-or-empty", "check-index", "check-session", "check-not-exists"}


class KVOperation(msgspec.Struct, frozen=True):
    """One operation on a key; `index` is what check-and-set compares."""

    verb: str
    key: str
    value: bytes | None = None
    flags: int = 0
    index: int = 0
    session: str = ""


class NodeOperation(msgspec.Struct, frozen=True):
    """One operation on a node; its `modify_index` is what check-and-set compares."""

    verb: str
    node: Node


class ServiceOperation(msgspec.Struct, frozen=True):
    """One operation on an instance of a node."""

    verb: str
    node: str
    service: NodeService


class CheckOperation(msgspec.Struct, frozen=True):
    """One operation on a check."""

    verb: str
    check: HealthCheck


Operation: TypeAlias = KVOperation | NodeOperation | ServiceOperation | CheckOperation
Refusal: TypeAlias = Callable[[WriteTxn, Operation], str | None]  # the error of an operation that is not allowed


class Failed(Exception):
    """A transaction that was rolled back: (position of the operation, error) of each failure."""

    def __init__(self, errors: Sequence[tuple[int, str]]) -> None:
        super().__init__(f"{len(errors)} operations failed")
        self.errors = list(errors)


def reads_only(operations: Sequence[Operation]) -> bool:
    """Return whether a transaction only reads."""
    return all(operation.verb in READING for operation in operations)


def unknown_verbs(operations: Sequence[Operation]) -> list[tuple[int, str]]:
    """Return the operations on keys with an unknown verb."""
    return [
        (position, f"unknown KV operation: {operation.verb}")
        for position, operation in enumerate(operations)
        if isinstance(operation, KVOperation) and operation.verb not in (*KV_VERBS, DELETE_TREE)
    ]


def is_long(operations: Sequence[Operation]) -> bool:
    """Return whether a transaction needs `apply_steps`, since it may take long."""
    return any(operation.verb == DELETE_TREE for operation in operations)


def apply(txn: WriteTxn, operations: Sequence[Operation], refusal: Refusal | None = None) -> Rows:
    """Run the operations; return what they found and wrote, in order.  Raises Failed with every failure.

    `refusal` authorizes each operation right before it runs, since earlier ones may have changed the row's owner.
    """
    return finish(apply_steps(txn, operations, refusal))


def apply_steps(txn: WriteTxn, operations: Sequence[Operation], refusal: Refusal | None = None) -> Steps[Rows]:
    """As `apply`, interrupted after each operation and each key of a tree that is deleted."""
    found: Rows = []
    errors: list[tuple[int, str]] = []
    for position, operation in enumerate(operations):
        try:
            if refusal is not None and (text := refusal(txn, operation)) is not None:
                raise Refused(text)
            if isinstance(operation, KVOperation) and operation.verb == DELETE_TREE:
                yield from kv.delete_tree(txn, operation.key)
            else:
                found.extend(_run(txn, operation))
        except Refused as error:
            errors.append((position, str(error)))
        yield
    if errors:
        raise Failed(errors)
    return found


def _run(txn: WriteTxn, operation: Operation) -> Rows:
    if isinstance(operation, KVOperation):
        return [{"KV": entry} for entry in KV_VERBS[operation.verb](txn, operation)]
    if isinstance(operation, NodeOperation):
        return [{"Node": row} for row in _run_node(txn, operation)]
    if isinstance(operation, ServiceOperation):
        return [{"Service": row} for row in _run_service(txn, operation)]
    return [{"Check": row} for row in _run_check(txn, operation)]


# Keys


def _entry(txn: WriteTxn, key: str, doing: str = "") -> KVEntry:
    entry = txn[KV].get(key)
    if entry is None:
        raise Refused(f'{doing}key "{key}" doesn\'t exist')
    return entry


def _bare(txn: WriteTxn, key: str) -> list[KVEntry]:
    """Return a key's entry without its value: the result of writes and comparisons."""
    return [replace(_entry(txn, key), value=None)]


def _set(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    kv.put(txn, op.key, op.value, op.flags)
    return _bare(txn, op.key)


def _cas(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    if not kv.put(txn, op.key, op.value, op.flags, op.index):
        raise Refused(f'failed to set key "{op.key}", {STALE}')
    return _bare(txn, op.key)


def _lock(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    delay = txn[LOCK_DELAYS].get(op.key)
    if delay is not None and delay.until > txn.now:
        raise Refused(f'failed to lock key "{op.key}" due to lock delay')
    if not kv.acquire(txn, op.key, op.value, op.flags, op.session):
        raise Refused(f'failed to lock key "{op.key}", lock is already held')
    return _bare(txn, op.key)


def _unlock(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    if not kv.release(txn, op.key, op.value, op.flags, op.session):
        raise Refused(f'failed to unlock key "{op.key}", lock isn\'t held, or is held by another session')
    return _bare(txn, op.key)


def _get(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    return [_entry(txn, op.key)]


def _get_or_empty(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    return [txn[KV].get(op.key) or KVEntry(0, op.key, 0, None, 0, 0)]


def _get_tree(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    return list(txn[KV].prefix(op.key))


def _check_index(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    entry = _entry(txn, op.key, "failed to check index, ")
    if entry.modify_index != op.index:
        raise Refused(f'failed index check for key "{op.key}", current modify index {entry.modify_index} != {op.index}')
    return _bare(txn, op.key)


def _check_session(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    entry = _entry(txn, op.key, "failed to check session, ")
    if entry.session != op.session:
        raise Refused(f'failed session check for key "{op.key}", current session "{entry.session}" != "{op.session}"')
    return _bare(txn, op.key)


def _check_not_exists(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    if txn[KV].get(op.key) is not None:
        raise Refused(f'key "{op.key}" exists')
    return []


def _delete(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    kv.delete(txn, op.key)
    return []


def _delete_cas(txn: WriteTxn, op: KVOperation) -> list[KVEntry]:
    if not kv.delete(txn, op.key, op.index):
        raise Refused(f'failed to delete key "{op.key}", {STALE}')
    return []


KV_VERBS: dict[str, Callable[[WriteTxn, KVOperation], list[KVEntry]]] = {
    "set": _set, "cas": _cas, "lock": _lock, "unlock": _unlock, "get": _get, "get-or-empty": _get_or_empty,
    "get-tree": _get_tree, "check-index": _check_index, "check-session": _check_session,
    "check-not-exists": _check_not_exists, "delete": _delete, "delete-cas": _delete_cas,
}  # fmt: skip


# Nodes, services, checks


def _run_node(txn: WriteTxn, op: NodeOperation) -> list[Node]:
    name = op.node.node
    same_id = txn[NODES].by("id", op.node.id.lower()) if op.node.id else []
    old = txn[NODES].get(name.lower()) if name else next(iter(same_id), None)
    _refuse_stale(op.verb, f'node "{name}"', op.node.modify_index, old.modify_index if old else 0)
    if op.verb in ("set", "cas"):
        nodes.ensure_node(txn, op.node)
        old = txn[NODES].get(name.lower())
    elif op.verb in ("delete", "delete-cas"):
        nodes.delete_node(txn, name)
        return []
    elif op.verb != "get":
        raise Refused(f"unknown node operation: {op.verb}")
    if old is None:
        raise Refused(f'node "{name or op.node.id}" doesn\'t exist')
    return [old]


def _run_service(txn: WriteTxn, op: ServiceOperation) -> list[ServiceInstance]:
    key, what = (op.node.lower(), op.service.id), f'service "{op.service.id}" on node "{op.node}"'
    old = txn[SERVICES].get(key)
    _refuse_stale(op.verb, what, op.service.modify_index, old.service.modify_index if old else 0)
    if op.verb in ("set", "cas"):
        services.ensure_service(txn, op.node, op.service)
        old = txn[SERVICES].get(key)
    elif op.verb in ("delete", "delete-cas"):
        services.delete_service(txn, op.node, op.service.id)
        return []
    elif op.verb != "get":
        raise Refused(f"unknown service operation: {op.verb}")
    if old is None:
        raise Refused(f"{what} doesn't exist")
    return [old]


def _run_check(txn: WriteTxn, op: CheckOperation) -> list[HealthCheck]:
    key = (op.check.node.lower(), op.check.check_id)
    what = f'check "{op.check.check_id}" on node "{op.check.node}"'
    old = txn[CHECKS].get(key)
    _refuse_stale(op.verb, what, op.check.modify_index, old.modify_index if old else 0)
    if op.verb in ("set", "cas"):
        checks.ensure_check(txn, op.check)
        old = txn[CHECKS].get(key)
    elif op.verb in ("delete", "delete-cas"):
        checks.delete_check(txn, op.check.node, op.check.check_id)
        return []
    elif op.verb != "get":
        raise Refused(f"unknown check operation: {op.verb}")
    if old is None:
        raise Refused(f"{what} doesn't exist")
    return [old]


def _refuse_stale(verb: str, what: str, wanted: int, current: int) -> None:
    if verb == "cas" and wanted != current:
        raise Refused(f"failed to set {what}, {STALE}")
    if verb == "delete-cas" and wanted != current:
        raise Refused(f"failed to delete {what}, {STALE}")
