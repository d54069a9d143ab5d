"""Authorization of writes to the catalog: permissions are asked for at the row that changes, old and new.

A node's own data needs `node:write`, but a registration that only repeats them does not; a service needs `service:write`, and
so does the one that stood there under the same ID.  A check belongs to its service, or to the node; one that replaces another
needs the permissions of both.  Source: https://developer.hashicorp.com/consul/api-docs/catalog.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyconsul.agent.acl.authorizer import Authorizer, PermissionDenied
from pyconsul.agent.acl.catalog_writes import require_node, require_old_check, require_service
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.response import server_error
from pyconsul.agent.model.check import SERF_CHECK, HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES


def require_registration(
    caller: Authorizer,
    view: View,
    node: Node,
    keep_node: bool,
    service: NodeService | None,
    checks: Iterable[HealthCheck],
) -> None:
    """Raises PermissionDenied unless the caller may register this."""
    if caller.everything:
        return
    old = view[NODES].get(node.node.lower())
    if old is None or (not keep_node and _changes(node, old)):
        require_node(caller, view, node)
    if service is not None:
        require_service(caller, view, node.node, service)
    for check in checks:
        if not check.service_id:
            caller.require("node", WRITE, node.node)
        elif service is None or service.id != check.service_id:
            owner = view[SERVICES].get((node.node.lower(), check.service_id))
            if owner is None:
                raise server_error(f"Unknown service ID '{check.service_id}' for check ID '{check.check_id}'")
            caller.require("service", WRITE, owner.service.service)
        require_old_check(caller, view, node.node, check.check_id)


def _changes(node: Node, old: Node) -> bool:
    def data(row: Node) -> tuple[object, ...]:
        return row.id, row.node, row.address, row.datacenter, row.tagged_addresses or {}, row.meta or {}

    return data(node) != data(old)


def refuse_agents_check(context: Context, node: str, check_id: str) -> None:
    """Raises PermissionDenied when this is the health of a node with an agent, which only the servers write.

    A write of it can end all sessions of the node, and with them its locks.
    """
    if check_id != SERF_CHECK:
        return
    agents = (context.config.node_name, *(member.name for member in context.lan.members()))
    if (agent := next((name for name in agents if name.lower() == node.lower()), None)) is not None:
        raise PermissionDenied(
            f'Permission denied: check "{SERF_CHECK}" of node "{agent}" is written by its agent only'
        )


def require_deregistration(caller: Authorizer, view: View, node: str, service_id: str, check_id: str) -> None:
    """Raises PermissionDenied unless the caller may deregister this; `node:write` allows to remove all that the node has."""
    if caller.allows("node", WRITE, node):
        return
    denial = caller.denial("node", WRITE, node)
    if service_id:
        row = view[SERVICES].get((node.lower(), service_id))
        if row is None:
            raise server_error(f"Unknown service ID '{service_id}'")
        caller.require("service", WRITE, row.service.service)
        return
    if not check_id:
        raise denial
    check = view[CHECKS].get((node.lower(), check_id))
    if check is None:
        raise server_error(f"Unknown check ID '{check_id}'")
    if not check.service_id:
        raise denial
    require_old_check(caller, view, node, check_id)
