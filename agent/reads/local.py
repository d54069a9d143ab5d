"""Reads of the agent's own services and checks."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.sync.local_state import LocalState


def services(local: LocalState, caller: Authorizer) -> tuple[list[NodeService], bool]:
    """Return the services that the caller may see, by ID, and whether the response states that some are hidden."""
    held = [row.service for _, row in sorted(local.services.items())]
    return visible(caller, held, lambda row: caller.level("service", row.service) >= READ)


def service(local: LocalState, caller: Authorizer, service_id: str) -> NodeService | None:
    """Return a service; None when the agent does not hold it.  Raises PermissionDenied."""
    row = local.services.get(service_id)
    if row is None:
        return None
    caller.require("service", READ, row.service.service)
    return row.service


def services_named(local: LocalState, caller: Authorizer, name: str) -> list[NodeService]:
    """Return the services of a name, by ID.  Raises PermissionDenied."""
    caller.require("service", READ, name)
    return [row.service for _, row in sorted(local.services.items()) if row.service.service == name]


def health(local: LocalState, caller: Authorizer, held: NodeService) -> list[HealthCheck]:
    """Return the checks of a service and of its node, by ID.  Raises PermissionDenied unless the service may be read."""
    caller.require("service", READ, held.service)
    checks = [one.check for one in (*local.checks_of(""), *local.checks_of(held.id))]
    return sorted(checks, key=lambda check: check.check_id)


def checks(local: LocalState, caller: Authorizer, node: str) -> tuple[list[HealthCheck], bool]:
    """Return the checks that the caller may see, by ID, and whether the response states that some are hidden.

    A check is read with the permission of its service, or of the node (`node`: its name).
    """

    def sees(check: HealthCheck) -> bool:
        level = caller.level("service", check.service_name) if check.service_id else caller.level("node", node)
        return level >= READ

    return visible(caller, [row.check for _, row in sorted(local.checks.items())], sees)
