"""Service instances: reads, and the writes that add and remove them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceInstance
from pyconsul.agent.state import topics
from pyconsul.agent.state.catalog.checks import delete_check
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn


def index_of_service(view: View, name: str, exists: bool) -> int:
    """Return the index of a response about one service."""
    if not exists:
        gone = view.last_index(topics.EXTINCTION)
        return gone if gone is not None else view.index_of("nodes", "services")
    known = view.last_index(topics.of_service(name))
    return known if known is not None else view.index_of("nodes", "services", "checks")


def instances(view: View, name: str, tags: Sequence[str] = ()) -> list[ServiceInstance]:
    """Return the instances of a service that have all tags, by node and ID; tags compare without case."""
    rows = view[SERVICES].by("name", name.lower())
    if tags:
        wanted = {tag.lower() for tag in tags}
        rows = [row for row in rows if wanted <= {tag.lower() for tag in row.service.tags}]
    return sorted(rows, key=SERVICES.key)


def with_nodes(view: View, rows: Iterable[ServiceInstance]) -> list[tuple[Node, NodeService]]:
    """Return instances with their nodes."""
    nodes = view[NODES]
    return [(node, row.service) for row in rows if (node := nodes.get(row.node.lower())) is not None]


def with_checks(view: View, rows: Iterable[ServiceInstance]) -> list[CheckServiceNode]:
    """Return instances with their nodes and every check that applies to them."""
    checks = view[CHECKS]
    found = []
    for node, service in with_nodes(view, rows):
        name = node.node.lower()
        of_node, of_instance = checks.by("instance", (name, "")), checks.by("instance", (name, service.id))
        if len(of_node) > 1:
            of_node.sort(key=CHECKS.key)
        if len(of_instance) > 1:
            of_instance.sort(key=CHECKS.key)
        found.append(CheckServiceNode(node, service, of_node + of_instance))
    return found


def names_and_tags(view: View, rows: Iterable[ServiceInstance] | None = None) -> dict[str, list[str]]:
    """Return the name of every service with all tags of its instances."""
    found: dict[str, dict[str, None]] = {}
    for row in view[SERVICES] if rows is None else rows:
        found.setdefault(row.service.service, {}).update(dict.fromkeys(row.service.tags))
    return {name: sorted(tags) for name, tags in sorted(found.items())}


def of_node(view: View, node: str) -> list[NodeService]:
    """Return the instances on a node, by ID."""
    return [row.service for row in sorted(view[SERVICES].by("node", node.lower()), key=SERVICES.key)]


def ensure_service(txn: WriteTxn, node: str, service: NodeService) -> None:
    """Add or update an instance; an identical one does not change.  Raises Refused when its node is not registered."""
    owner = txn[NODES].get(node.lower())
    if owner is None:
        raise Refused("Missing node registration")
    old = txn[SERVICES].get((node.lower(), service.id))
    created = old.service.create_index if old else txn.index
    if old is not None:
        same = replace(service, create_index=created, modify_index=old.service.modify_index)
        if same == old.service:
            return
    txn.put(SERVICES, ServiceInstance(owner.node, replace(service, create_index=created, modify_index=txn.index)))
    txn.raise_index("services", topics.of_service(service.service))
    if old is not None and old.service.service.lower() != service.service.lower():
        _leave(txn, old.service.service)


def delete_service(txn: WriteTxn, node: str, service_id: str) -> None:
    """Remove an instance and its checks; a missing one is ignored."""
    key = (node.lower(), service_id)
    old = txn[SERVICES].get(key)
    if old is None:
        return
    for check in txn[CHECKS].by("instance", key):
        delete_check(txn, node, check.check_id)
    txn.delete(SERVICES, key)
    txn.raise_index("services")
    _leave(txn, old.service.service)


def _leave(txn: WriteTxn, name: str) -> None:
    """Raise the index of a service that lost an instance, or drop it with the last instance."""
    if txn[SERVICES].by("name", name.lower()):
        txn.raise_index(topics.of_service(name))
    else:
        txn.drop_index(topics.of_service(name))
        txn.raise_index(topics.EXTINCTION)
