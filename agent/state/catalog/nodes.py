"""Nodes: reads, and the writes that add, rename and remove them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL, SERF_CHECK
from pyconsul.agent.model.node import Node
from pyconsul.agent.state import sessions
from pyconsul.agent.state.catalog import coordinates
from pyconsul.agent.state.catalog.checks import delete_check, raise_services_on
from pyconsul.agent.state.catalog.services import delete_service
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn


def all_nodes(view: View, meta: Mapping[str, str] | None = None) -> list[Node]:
    """Return the nodes that have all the given metadata, by name."""
    rows = sorted(view[NODES], key=lambda node: node.node)
    return [node for node in rows if has_meta(node.meta, meta)] if meta else rows


def has_meta(meta: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    """Return whether metadata has all wanted values."""
    return meta is not None and all(meta.get(key) == value for key, value in wanted.items())


def ensure_node(txn: WriteTxn, node: Node) -> None:
    """Add or update a node; a known ID under another name renames its node.

    Raises Refused when the name belongs to a living node with another ID.
    """
    old = txn[NODES].get(node.node.lower())
    if node.id:
        same_id = txn[NODES].by("id", node.id.lower())
        if same_id and same_id[0].node.lower() != node.node.lower():
            _refuse_taken_name(old, node, f'Error while renaming Node ID: "{node.id}" ({node.address})', steal=False)
            delete_node(txn, same_id[0].node)
            _write(txn, replace(node, create_index=same_id[0].create_index, modify_index=txn.index))
            return
        if not same_id and not _is_dead(txn, old):
            _refuse_taken_name(old, node, f'Error while renaming Node ID: "{node.id}"', steal=True)
    if old is None:
        _write(txn, replace(node, create_index=txn.index, modify_index=txn.index))
        return
    node = replace(node, create_index=old.create_index, modify_index=old.modify_index)
    if node != old:
        _write(txn, replace(node, modify_index=txn.index))


def _is_dead(txn: WriteTxn, node: Node | None) -> bool:
    check = txn[CHECKS].get((node.node.lower(), SERF_CHECK)) if node else None
    return check is not None and check.status == CRITICAL


def _refuse_taken_name(old: Node | None, node: Node, doing: str, steal: bool) -> None:
    """Raise Refused for a name of another node, unless that has no ID and `steal` is allowed."""
    if old is None or old.id == node.id or (steal and not old.id):
        return
    raise Refused(f"{doing}: Node name {node.node} is reserved by node {old.id} with name {old.node} ({old.address})")


def _write(txn: WriteTxn, node: Node) -> None:
    txn.put(NODES, node)
    txn.raise_index("nodes")
    raise_services_on(txn, node.node)


def delete_node(txn: WriteTxn, name: str) -> None:
    """Remove a node with its services, checks and sessions; a missing one is ignored."""
    key = name.lower()
    if txn[NODES].get(key) is None:
        return
    for row in txn[SERVICES].by("node", key):
        delete_service(txn, name, row.service.id)
    for check in txn[CHECKS].by("node", key):
        delete_check(txn, name, check.check_id)
    sessions.invalidate_node(txn, name)
    coordinates.delete_node(txn, name)
    txn.delete(NODES, key)
    txn.raise_index("nodes")
