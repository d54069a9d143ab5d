"""The agent's own services and checks: registration, maintenance, and reports on TTL checks.

Every change takes the same way: durable storage if it must survive a restart, then the local state and the check scheduler,
then the catalog.  Arguments have been validated.  An operation of a caller requires the permissions before it changes anything, and
raises PermissionDenied; the agent itself passes EVERYTHING.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.recent_results import RecentResult
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.state.contract import View
from pyconsul.agent.sync.access import LocalAccess
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.check_results import CheckResults
from pyconsul.agent.sync.checks import (
    NODE_MAINTENANCE,
    SERVICE_MAINTENANCE,
    maintenance_check,
    own_check,
    service_checks,
)
from pyconsul.agent.sync.definition import ServiceDefinition, dns_warnings, node_service
from pyconsul.agent.sync.local_rows import CHECKS, REPORTS, SERVICES, CheckRow, ServiceRow, TTLReport
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import Change, LocalStore
from pyconsul.agent.sync.node_registration import NodeRegistration

#: The catalog's checks of this node by ID, while the agent restarts; empty otherwise.
LastSeen = Mapping[str, HealthCheck]
NOTHING_SEEN: LastSeen = {}

OWN_CHECK = "service:"  # before the name of a service that the agent itself provides: the ID of its check

log = logging.getLogger("agent.sync")


class Scheduler(Protocol):
    """Runs the checks; implemented by `health.runners.scheduler`."""

    def add(self, key: str, definition: CheckDefinition, status: str = "") -> None: ...

    def remove(self, key: str) -> None: ...

    def is_ttl(self, key: str) -> bool: ...

    def ttl_update(self, key: str, status: str, output: str) -> str: ...


class NotTTL(ValueError):
    """A report on a check that is not a TTL check."""


class LocalAgent:
    """The services and checks of this agent.

    catalog: the rows that a registration would replace there; None: the server authorizes that when it writes the row.
    """

    def __init__(
        self,
        node: str,
        local: LocalState,
        syncer: Syncer,
        store: LocalStore,
        scheduler: Scheduler,
        results: CheckResults,
        clock: Callable[[], float],
        catalog: View | None,
    ) -> None:
        self.node, self.local, self.syncer, self.store = node, local, syncer, store
        #: IDs of the services that the agent itself provides.
        self.own_services: set[str] = set()
        self._scheduler, self._results, self._clock = scheduler, results, clock
        self._access = LocalAccess(node, local, catalog)

    def reconfigure(self, registration: NodeRegistration, discard_output: bool) -> None:
        """Apply reloaded settings; the catalog shows the registration after the next full sync."""
        self.syncer.reconfigure(registration)
        self._results.reconfigure(discard_output)

    async def register_service(
        self,
        caller: Authorizer,
        definition: ServiceDefinition,
        *,
        replace_checks: bool = False,
        from_file: bool = False,
        last_seen: LastSeen = NOTHING_SEEN,
    ) -> None:
        """Add or replace a service and its checks; its other checks stay unless `replace_checks`.

        A definition from a file replaces only checks from files, if checks of the API are durable.
        """
        self._access.require_service_registration(caller, definition)
        name = definition.service.service
        log.debug("registering service", extra={"fields": {"service": name, "id": definition.service.id}})
        row = ServiceRow(definition.service, definition.token, from_file)
        made = service_checks(self.node, definition.service, definition.checks)
        rows = [CheckRow(check, how, how.token or definition.token, from_file) for check, how in made]
        names = {one.check.check_id for one in rows}
        spared = names | (self._from_api(definition.service.id) if from_file and self.store.durable else set())
        dropped = self._checks_but(definition.service.id, spared) if replace_checks else []
        await self.store.write(
            [
                (SERVICES, row.service.id, None if from_file else row),
                *((CHECKS, one.check.check_id, None if from_file else one) for one in rows),
                *_removals(dropped),
            ]
        )
        self.hold_service(row)
        for one in rows:
            self.hold_check(one, last_seen)
        for check_id in dropped:
            self._drop_check(check_id)
        await self.syncer.show()

    async def deregister_service(self, caller: Authorizer, service_id: str) -> None:
        """Remove a registered service and its checks."""
        self._access.require_service(caller, service_id)
        log.debug("deregistering service", extra={"fields": {"id": service_id}})
        await self.store.write([(SERVICES, service_id, None), *_removals(self._checks_but(service_id, ()))])
        if service_id in self.local.services:
            for check_id in self.local.remove_service(service_id):
                self._stop_check(check_id)
        await self.syncer.show()

    async def register_check(
        self,
        caller: Authorizer,
        definition: CheckDefinition,
        token: str = "",
        *,
        from_file: bool = False,
        last_seen: LastSeen = NOTHING_SEEN,
    ) -> None:
        """Add or replace a check of the node or of a registered service; `token`: for a definition without one."""
        self._access.require_check_registration(caller, definition)
        owner = self.local.services.get(definition.service_id)
        check = own_check(self.node, definition, owner.service if owner else None, typed=not from_file)
        token = definition.token or token or (owner.token if owner else "")
        log.debug("registering check", extra={"fields": {"check": check.check_id, "service": definition.service_id}})
        await self._add_check(CheckRow(check, definition, token, from_file), last_seen)

    async def deregister_check(self, caller: Authorizer, check_id: str) -> None:
        """Remove a check, if it exists."""
        self._access.require_check(caller, check_id)
        await self._remove_check(check_id)

    async def begin_maintenance(self, caller: Authorizer, service_id: str, reason: str, token: str = "") -> None:
        """Put a registered service (empty: the node) into maintenance mode; an earlier reason stays."""
        self._access.require_service(caller, service_id)
        owner = self.local.services.get(service_id)
        check = maintenance_check(self.node, owner.service if owner else None, reason)
        if check.check_id not in self.local.checks:
            await self._add_check(CheckRow(check, None, token))

    async def end_maintenance(self, caller: Authorizer, service_id: str) -> None:
        """Take a registered service (empty: the node) out of maintenance mode, if it is in it."""
        self._access.require_service(caller, service_id)
        await self._remove_check(SERVICE_MAINTENANCE + service_id if service_id else NODE_MAINTENANCE)

    async def show_own_service(self, name: str, check_name: str, status: str, output: str) -> None:
        """Set the check of a service that the agent itself provides, and register that; neither is stored."""
        check_id = OWN_CHECK + name
        if check_id in self.local.checks:
            self._results.notify(check_id, status, output)
        else:
            service = node_service(name)
            definition = CheckDefinition(id=check_id, name=check_name, status=status)
            check = own_check(self.node, definition, service, typed=False)
            self.own_services.add(name)
            self.local.put_service(ServiceRow(service))
            self.local.put_check(CheckRow(replace(check, output=output, interval="", timeout="")), self._clock())
        await self.syncer.show()

    async def hide_own_service(self, name: str) -> None:
        """Remove such a service with its check, if there is one."""
        if OWN_CHECK + name in self.local.checks and name in self.local.services:
            self.own_services.discard(name)
            self.local.remove_service(name)
            await self.syncer.show()

    def is_ttl(self, check_id: str) -> bool:
        """Return whether the check is a TTL check."""
        return self._scheduler.is_ttl(check_id)

    async def report(self, caller: Authorizer, check_id: str, status: str, output: str) -> None:
        """Store a report on an existing check.  Raises NotTTL, after PermissionDenied."""
        self._access.require_check(caller, check_id)
        if not self.is_ttl(check_id):
            raise NotTTL(check_id)
        kept = self._scheduler.ttl_update(check_id, status, output)
        definition = self.local.checks[check_id].definition
        if definition is not None and self.store.durable:
            expires = self._clock() + definition.ttl / SECOND_NS
            self.store.report(TTLReport(check_id, status, kept, expires))
        await self.syncer.show()

    def recent_results(self, check_id: str) -> Sequence[RecentResult]:
        """Return the last results of a check, the oldest first; those from before a restart are not kept."""
        return self._results.recent(check_id)

    def restore_report(self, report: TTLReport) -> None:
        """Apply a report from before a restart."""
        self._results.notify(report.check_id, report.status, report.output)

    def hold_service(self, row: ServiceRow) -> None:
        """Add a service to the local state; it is stored durably already, or need not be."""
        old = self.local.services.get(row.service.id)
        if old is None or old.service != row.service:
            for warning in dns_warnings(row.service):
                log.warning("%s", warning)
        self.local.put_service(row)

    def hold_check(self, row: CheckRow, last_seen: LastSeen = NOTHING_SEEN) -> None:
        """Add a check likewise, and run it; a check that replaces another keeps its status and output.

        At a restart a polled check starts with the status that the catalog last showed, so that healthy services stay in use;
        a TTL check does not, since its stored report may have expired.
        """
        check_id = row.check.check_id
        held = self.local.checks.get(check_id)
        polled = row.definition is not None and not row.definition.ttl
        old = held.check if held is not None else last_seen.get(check_id) if polled else None
        if old is not None:
            row = replace(row, check=replace(row.check, status=old.status, output=old.output))
        self.local.put_check(row, self._clock())
        if polled and old is None:
            self.local.untried.add(check_id)
        if row.definition is not None:
            self._scheduler.add(check_id, row.definition, row.check.status)

    def adopt(self, last_seen: LastSeen) -> None:
        """Give polled checks that have not run yet the status and output that the catalog shows."""
        for check_id in self.local.untried & last_seen.keys():
            self._results.notify(check_id, last_seen[check_id].status, last_seen[check_id].output)

    async def _add_check(self, row: CheckRow, last_seen: LastSeen = NOTHING_SEEN) -> None:
        await self.store.write([(CHECKS, row.check.check_id, None if row.from_file else row)])
        self.hold_check(row, last_seen)
        await self.syncer.show()

    async def _remove_check(self, check_id: str) -> None:
        log.debug("deregistering check", extra={"fields": {"check": check_id}})
        await self.store.write(_removals([check_id]))
        if check_id in self.local.checks:
            self._drop_check(check_id)
        await self.syncer.show()

    def _checks_but(self, service_id: str, kept: Iterable[str]) -> list[str]:
        return [row.check.check_id for row in self.local.checks_of(service_id) if row.check.check_id not in kept]

    def _from_api(self, service_id: str) -> set[str]:
        return {row.check.check_id for row in self.local.checks_of(service_id) if not row.from_file}

    def _drop_check(self, check_id: str) -> None:
        if check_id in self.local.checks:
            self.local.remove_check(check_id)
        self._stop_check(check_id)

    def _stop_check(self, check_id: str) -> None:
        self._scheduler.remove(check_id)
        self._results.forget(check_id)
        self.store.forget(check_id)


def _removals(check_ids: Iterable[str]) -> list[Change]:
    return [(schema, check_id, None) for check_id in check_ids for schema in (CHECKS, REPORTS)]
