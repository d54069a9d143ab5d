"""Nodes: reads, and the writes that add, rename and remove them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL
from pyconsul.agent.model.node import Node
from pyconsul.agent.state import coordinates, sessions, topics
from pyconsul.agent.state.checks import delete_check
from pyconsul.agent.state.draft import Draft, View
from pyconsul.agent.state.errors import Refused
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.services import delete_service

SERF_CHECK = "serfHealth"  # the check by which a node is known to be alive


def all_nodes(view: View, meta: Mapping[str, str] | None = None) -> list[Node]:
    """The nodes that have all the given meta data, by name."""
    rows = sorted(view[NODES], key=lambda node: node.node)
    return [node for node in rows if has_meta(node.meta, meta)] if meta else rows


def has_meta(meta: Mapping[str, str] | None, wanted: Mapping[str, str]) -> bool:
    """Whether meta data holds all that is wanted."""
    return meta is not None and all(meta.get(key) == value for key, value in wanted.items())


def ensure_node(draft: Draft, node: Node) -> None:
    """Add or update a node; one that comes back with its ID under another name is renamed.

    Raises Refused when the name belongs to a living node with another ID.
    """
    old = draft[NODES].get(node.node.lower())
    if node.id:
        same_id = draft[NODES].by("id", node.id.lower())
        if same_id and same_id[0].node.lower() != node.node.lower():
            _refuse_taken_name(old, node, f'Error while renaming Node ID: "{node.id}" ({node.address})', steal=False)
            delete_node(draft, same_id[0].node)
            _write(draft, replace(node, create_index=same_id[0].create_index, modify_index=draft.index))
            return
        if not same_id and not _is_dead(draft, old):
            _refuse_taken_name(old, node, f'Error while renaming Node ID: "{node.id}"', steal=True)
    if old is None:
        _write(draft, replace(node, create_index=draft.index, modify_index=draft.index))
        return
    node = replace(node, create_index=old.create_index, modify_index=old.modify_index)
    if node != old:
        _write(draft, replace(node, modify_index=draft.index))


def _is_dead(draft: Draft, node: Node | None) -> bool:
    check = draft[CHECKS].get((node.node.lower(), SERF_CHECK)) if node else None
    return check is not None and check.status == CRITICAL


def _refuse_taken_name(old: Node | None, node: Node, doing: str, steal: bool) -> None:
    """A name may be taken over only from a node without an ID, where that is allowed at all."""
    if old is None or old.id == node.id or (steal and not old.id):
        return
    raise Refused(f"{doing}: Node name {node.node} is reserved by node {old.id} with name {old.node} ({old.address})")


def _write(draft: Draft, node: Node) -> None:
    draft.put(NODES, node)
    draft.touch("nodes")
    topics.touch_services_on(draft, node.node)


def delete_node(draft: Draft, name: str) -> None:
    """Remove a node with its services, checks and sessions; nothing happens when it is not there."""
    key = name.lower()
    if draft[NODES].get(key) is None:
        return
    for row in draft[SERVICES].by("node", key):
        delete_service(draft, name, row.service.id)
    for check in draft[CHECKS].by("node", key):
        delete_check(draft, name, check.check_id)
    sessions.invalidate_node(draft, name)
    coordinates.delete_node(draft, name)
    draft.delete(NODES, key)
    draft.touch("nodes")
