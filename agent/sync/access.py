"""Permissions that a change of the agent's own services and checks needs: those of everything that it replaces.

The row that has an ID now is looked up in the local state, and in the catalog, where another client may have written it.  An agent
that does not hold the catalog leaves that to the server, which authorizes each row when it is written.
"""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.catalog_writes import require_old_check, require_service
from pyconsul.agent.acl.rules import WRITE
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import SERF_CHECK
from pyconsul.agent.state.contract import View
from pyconsul.agent.sync.checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE, service_checks
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_state import LocalState


class LocalAccess:
    """Authorizes changes of one agent's registrations.  Every method raises PermissionDenied."""

    def __init__(self, node: str, local: LocalState, catalog: View | None) -> None:
        """catalog: None for an agent that does not hold it."""
        self._node, self._local, self._catalog = node, local, catalog

    def require_service_registration(self, caller: Authorizer, definition: ServiceDefinition) -> None:
        """Require the permissions to register a service with its checks."""
        if caller.everything:
            return
        service = definition.service
        caller.require("service", WRITE, service.service)
        if (old := self._local.services.get(service.id)) is not None:
            caller.require("service", WRITE, old.service.service)
        if self._catalog is not None:
            require_service(caller, self._catalog, self._node, service)
        for check, _ in service_checks(self._node, service, definition.checks):
            self._require_check_id(caller, check.check_id)

    def require_check_registration(self, caller: Authorizer, definition: CheckDefinition) -> None:
        """Require the permissions to register a check of the node or of a held service."""
        if caller.everything:
            return
        self.require_service(caller, definition.service_id)
        self._require_check_id(caller, definition.id or definition.name)

    def require_service(self, caller: Authorizer, service_id: str) -> None:
        """Require write permission for a held service; for the node if the agent holds no service of this ID."""
        row = self._local.services.get(service_id)
        self._require_owner(caller, row.service.service if row else None)

    def require_check(self, caller: Authorizer, check_id: str) -> None:
        """Require write permission for the owner of a held check; for the node if the agent does not hold the check."""
        row = self._local.checks.get(check_id)
        self._require_owner(caller, row.check.service_name if row and row.check.service_id else None)

    def _require_check_id(self, caller: Authorizer, check_id: str) -> None:
        """Require that the ID of a check is unused, or that the caller may write the check that has it.

        `serfHealth` and the IDs of maintenance checks belong to the node, or the service in maintenance.
        """
        if check_id in self._local.checks:
            self.require_check(caller, check_id)
        elif self._catalog is not None:
            require_old_check(caller, self._catalog, self._node, check_id)
        if check_id in (NODE_MAINTENANCE, SERF_CHECK):
            self._require_owner(caller, None)
        elif check_id.startswith(SERVICE_MAINTENANCE):
            self.require_service(caller, check_id.removeprefix(SERVICE_MAINTENANCE))

    def _require_owner(self, caller: Authorizer, service: str | None) -> None:
        if service is None:
            caller.require("node", WRITE, self._node)
        else:
            caller.require("service", WRITE, service)
