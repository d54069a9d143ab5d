"""Authorization of what an agent is told to hold: a registration needs the permissions of everything that it replaces.

What stands under an ID is looked up in the agent's own state, and in the catalog, where somebody else may have put it.
"""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.handlers.catalog.access import require_old_check, require_service
from pyconsul.agent.sync.checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE, service_checks
from pyconsul.agent.sync.definition import ServiceDefinition


def require_service_registration(context: Context, caller: Authorizer, definition: ServiceDefinition) -> None:
    """Raises PermissionDenied unless the caller may register a service with its checks."""
    if caller.everything:
        return
    service, node = definition.service, context.config.node_name
    caller.require("service", WRITE, service.service)
    if (old := context.agent.local.services.get(service.id)) is not None:
        caller.require("service", WRITE, old.service.service)
    require_service(caller, context.view, node, service)
    for check, _ in service_checks(node, service, definition.checks):
        require_check_id(context, caller, check.check_id)


def require_check_id(context: Context, caller: Authorizer, check_id: str) -> None:
    """Raises PermissionDenied unless the caller may put a check under an ID: nobody's, or one that the caller may write.

    The IDs of maintenance belong to what they take out of use.
    """
    if caller.everything:
        return
    node, held = context.config.node_name, context.agent.local.checks.get(check_id)
    if held is not None:
        require_check(context, caller, held.check.service_name if held.check.service_id else None)
    else:
        require_old_check(caller, context.view, node, check_id)
    if check_id == NODE_MAINTENANCE:
        caller.require("node", WRITE, node)
    elif check_id.startswith(SERVICE_MAINTENANCE):
        owner = context.agent.local.services.get(check_id.removeprefix(SERVICE_MAINTENANCE))
        require_check(context, caller, owner.service.service if owner else None)


def require_check(context: Context, caller: Authorizer, service: str | None) -> None:
    """Raises PermissionDenied unless the caller may write the checks of a service; of the node without one."""
    if service is None:
        caller.require("node", WRITE, context.config.node_name)
    else:
        caller.require("service", WRITE, service)
