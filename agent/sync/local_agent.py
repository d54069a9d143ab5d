"""The agent's own services and checks: what the API, files and results of checks do to them.

Every change goes the same way: kept on disk if it is to survive, then into the local state and
to the check scheduler, then into the catalog.  Arguments have been validated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from msgspec.structs import replace

from pyconsul.agent.common.go_durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import PASSING, HealthCheck
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS as CATALOG_CHECKS
from pyconsul.agent.state.schemas import SERVICES as CATALOG_SERVICES
from pyconsul.agent.sync.blocked import Permits
from pyconsul.agent.sync.checks import maintenance_check, own_check, service_checks
from pyconsul.agent.sync.definition import ServiceDefinition, dns_warnings
from pyconsul.agent.sync.local_rows import CHECKS, REPORTS, SERVICES, CheckRow, ServiceRow, TTLReport
from pyconsul.agent.sync.local_state import LocalState
from pyconsul.agent.sync.local_store import Change, LocalStore
from pyconsul.agent.sync.syncer import Syncer

Notify: TypeAlias = Callable[[str, str, str], None]
AliasView: TypeAlias = Callable[[str, str, str], tuple[Iterable[HealthCheck], bool]]

CONCEALED = "hidden by ACLs"  # instead of the name of a check
log = logging.getLogger("agent.sync")


class Scheduler(Protocol):
    """What runs the checks; see `health.runners.scheduler`."""

    def add(self, key: str, definition: CheckDefinition, status: str = "") -> None: ...

    def remove(self, key: str) -> None: ...

    def is_ttl(self, key: str) -> bool: ...

    def ttl_update(self, key: str, status: str, output: str) -> str: ...


class LocalAgent:
    """The services and checks of this agent.

    `scheduler` is made from what is to be called with results, and from a view for alias checks.
    `reads` says whether a token may read a service or node; None: nobody asks for tokens.
    `patience`: seconds that a change of an output alone may wait (`check_update_interval`).
    """

    def __init__(
        self,
        node: str,
        local: LocalState,
        syncer: Syncer,
        store: LocalStore,
        catalog: View,
        scheduler: Callable[[Notify, AliasView], Scheduler],
        clock: Callable[[], float],
        *,
        patience: float = 300.0,
        discard_output: bool = False,
        reads: Permits | None = None,
    ) -> None:
        self.node, self.local, self.syncer, self.store = node, local, syncer, store
        self.patience, self.discard_output = patience, discard_output
        self.resuming = False  # the agent has started and takes up what it held
        self._catalog, self._clock, self._reads = catalog, clock, reads
        self._scheduler = scheduler(self.notify, self.alias_view)

    async def register_service(
        self, definition: ServiceDefinition, *, replace_checks: bool = False, from_file: bool = False
    ) -> None:
        """Add or replace a service and its checks; checks it had stay unless `replace_checks`.

        What a file defines replaces only what a file defined, if the rest is kept.
        """
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
            self.hold_check(one)
        for check_id in dropped:
            self._drop_check(check_id)
        await self.syncer.flush()

    async def deregister_service(self, service_id: str) -> None:
        """Remove a service that is there, and its checks."""
        log.debug("deregistering service", extra={"fields": {"id": service_id}})
        await self.store.write([(SERVICES, service_id, None), *_removals(self._checks_but(service_id, ()))])
        if service_id in self.local.services:
            for check_id in self.local.remove_service(service_id):
                self._stop_check(check_id)
        await self.syncer.flush()

    async def register_check(self, definition: CheckDefinition, token: str = "", *, from_file: bool = False) -> None:
        """Add or replace a check, of the node or of a service that is there; `token` is used when it names none."""
        owner = self.local.services.get(definition.service_id)
        check = own_check(self.node, definition, owner.service if owner else None, typed=not from_file)
        token = definition.token or token or (owner.token if owner else "")
        log.debug("registering check", extra={"fields": {"check": check.check_id, "service": definition.service_id}})
        await self._add_check(CheckRow(check, definition, token, from_file))

    async def deregister_check(self, check_id: str) -> None:
        """Remove a check, if it is there."""
        log.debug("deregistering check", extra={"fields": {"check": check_id}})
        await self.store.write(_removals([check_id]))
        if check_id in self.local.checks:
            self._drop_check(check_id)
        await self.syncer.flush()

    async def begin_maintenance(self, service_id: str, reason: str, token: str = "") -> None:
        """Take a service that is there (empty: the node) out of use; what is out of use already keeps its reason."""
        owner = self.local.services.get(service_id)
        check = maintenance_check(self.node, owner.service if owner else None, reason)
        if check.check_id not in self.local.checks:
            await self._add_check(CheckRow(check, None, token))

    def is_ttl(self, check_id: str) -> bool:
        """Whether results of a check are reported by others."""
        return self._scheduler.is_ttl(check_id)

    async def report(self, check_id: str, status: str, output: str) -> None:
        """Somebody reports on a TTL check that is there."""
        kept = self._scheduler.ttl_update(check_id, status, output)
        definition = self.local.checks[check_id].definition
        if definition is not None and self.store.durable:
            expires = self._clock() + definition.ttl / SECOND_NS
            self.store.report(TTLReport(check_id, status, kept, expires))
        await self.syncer.flush()

    def notify(self, check_id: str, status: str, output: str) -> None:
        """A check has a result."""
        text = "" if self.discard_output else output
        update = self.local.update_check(check_id, status, text, self._clock(), self.patience > 0)
        self.syncer.note(check_id, update, self.patience)

    def alias_view(self, node: str, service_id: str, check_id: str = "") -> tuple[Iterable[HealthCheck], bool]:
        """The checks of a node (empty: this one), as an alias check may see them, and whether it has the service."""
        if not node:
            held = [row.check for row in self.local.checks.values()]
            return self._seen_by(check_id, held), service_id in self.local.services
        name = node.lower()
        exists = self._catalog[CATALOG_SERVICES].get((name, service_id)) is not None
        rows = sorted(self._catalog[CATALOG_CHECKS].by("node", name), key=CATALOG_CHECKS.key)
        return self._seen_by(check_id, rows), exists

    def _seen_by(self, check_id: str, checks: list[HealthCheck]) -> list[HealthCheck]:
        """Checks without the name and output of those that an alias check's token may not read; their status counts."""
        if self._reads is None:
            return checks
        row = self.local.checks.get(check_id)
        token = row.token if row is not None else ""
        return [
            check
            if check.status == PASSING or self._reads(token, *_resource(check)) is None
            else replace(check, name=CONCEALED, output="")
            for check in checks
        ]

    def hold_service(self, row: ServiceRow) -> None:
        """Hold a service that is kept already, or need not be."""
        old = self.local.services.get(row.service.id)
        if old is None or old.service != row.service:
            for warning in dns_warnings(row.service):
                log.warning("%s", warning)
        self.local.put_service(row)

    def hold_check(self, row: CheckRow) -> None:
        """Hold a check in the same way, and run it; one that was there keeps its status and output."""
        check_id = row.check.check_id
        held = self.local.checks.get(check_id)
        old = held.check if held is not None else self._last_seen(row)
        if old is not None:
            row = replace(row, check=replace(row.check, status=old.status, output=old.output))
        self.local.put_check(row, self._clock())
        if row.definition is not None:
            self._scheduler.add(check_id, row.definition, row.check.status)

    def _last_seen(self, row: CheckRow) -> HealthCheck | None:
        """What the catalog last said of a polled check, while the agent comes back.

        A restart must not take healthy services out of use; a TTL check has its reports, which expire.
        """
        if not self.resuming or row.definition is None or row.definition.ttl:
            return None
        return self._catalog[CATALOG_CHECKS].get((self.node.lower(), row.check.check_id))

    async def _add_check(self, row: CheckRow) -> None:
        await self.store.write([(CHECKS, row.check.check_id, None if row.from_file else row)])
        self.hold_check(row)
        await self.syncer.flush()

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
        self.store.forget(check_id)


def _resource(check: HealthCheck) -> tuple[str, str]:
    """The resource that a check belongs to, and its name."""
    return ("service", check.service_name) if check.service_id else ("node", check.node)


def _removals(check_ids: Iterable[str]) -> list[Change]:
    return [(schema, check_id, None) for check_id in check_ids for schema in (CHECKS, REPORTS)]
