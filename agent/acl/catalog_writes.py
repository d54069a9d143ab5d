"""Permissions that a write of a catalog row needs: those of the new row, and those of the row that it replaces."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.model.check import SERF_CHECK
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES


def require_node(caller: Authorizer, view: View, node: Node) -> None:
    """Raises PermissionDenied unless the caller may write a node, and the one that it replaces: the same ID renames a node."""
    caller.require("node", WRITE, node.node)
    for old in view[NODES].by("id", node.id.lower()) if node.id else ():
        caller.require("node", WRITE, old.node)


def require_service(caller: Authorizer, view: View, node: str, service: NodeService) -> None:
    """Raises PermissionDenied unless the caller may write an instance, and the present one with its ID."""
    caller.require("service", WRITE, service.service)
    old = view[SERVICES].get((node.lower(), service.id))
    if old is not None:
        caller.require("service", WRITE, old.service.service)


def require_old_check(caller: Authorizer, view: View, node: str, check_id: str) -> None:
    """Raises PermissionDenied unless the caller may change the check that stands under an ID, if there is one.

    The check of the node's own health decides about all sessions of the node: it is the node's, even when it is not there yet.
    """
    old = view[CHECKS].get((node.lower(), check_id))
    if old is None or not old.service_id:
        if old is not None or check_id == SERF_CHECK:
            caller.require("node", WRITE, node)
        return
    owner = view[SERVICES].get((node.lower(), old.service_id))
    caller.require("service", WRITE, owner.service.service if owner else old.service_name)
