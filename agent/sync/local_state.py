"""The agent's own services and checks, and which of them the catalog does not show yet.  Pure: times are passed in.

Every change marks its rows as pending.  `take` returns the pending rows and clears the marks; `give_back` restores them when
writing failed.  Readers wait on `watches` for the topic of a service (`of_service`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from msgspec.structs import replace

from pyconsul.agent.model.check import CRITICAL, HealthCheck
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow


class Update(Enum):
    """When the catalog must show a check's result."""

    NOTHING = 0  # it shows it already
    NOW = 1
    LATER = 2  # only the output changed


@dataclass(slots=True)
class Pending:
    """Rows to write into the catalog, and IDs to remove.  A check comes with the service it belongs to."""

    node: bool = False
    services: list[ServiceRow] = field(default_factory=list)
    checks: list[tuple[CheckRow, ServiceRow | None]] = field(default_factory=list)
    gone_services: list[str] = field(default_factory=list)
    gone_checks: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.node or self.services or self.checks or self.gone_services or self.gone_checks)

    def parts(self) -> list[Pending]:
        """Split into single changes, in an order in which they can be written one by one."""
        return [
            *([Pending(node=True)] if self.node else []),
            *(Pending(gone_checks=[one]) for one in self.gone_checks),
            *(Pending(gone_services=[one]) for one in self.gone_services),
            *(Pending(services=[one]) for one in self.services),
            *(Pending(checks=[one]) for one in self.checks),
        ]

    def __str__(self) -> str:
        """Return the IDs, for a log line."""
        services = [f"service {row.service.id}" for row in self.services] + [
            f"service {one}" for one in self.gone_services
        ]
        checks = [f"check {row.check.check_id}" for row, _ in self.checks] + [
            f"check {one}" for one in self.gone_checks
        ]
        return ", ".join([*(["the node"] if self.node else []), *services, *checks])


def of_service(service_id: str) -> str:
    """Return the watch topic of a service."""
    return "local/" + service_id


class LocalState:
    """The services and checks of one agent, by ID."""

    def __init__(self, watches: Watches) -> None:
        self.services: dict[str, ServiceRow] = {}
        self.checks: dict[str, CheckRow] = {}
        self.critical_since: dict[str, float] = {}  # check ID -> time at which it turned critical
        self.late: set[str] = set()  # checks whose output is to be written later
        self.untried: set[str] = set()  # checks whose status is still the initial one
        self.watches = watches
        self.node_differs = True
        self._by_service: dict[str, dict[str, None]] = {}
        # IDs of pending rows, oldest first.
        self._services: dict[str, None] = {}
        self._checks: dict[str, None] = {}
        self._gone_services: dict[str, None] = {}
        self._gone_checks: dict[str, None] = {}

    def checks_of(self, service_id: str) -> list[CheckRow]:
        """Return the checks of a service; of the node itself for an empty ID."""
        return [self.checks[check_id] for check_id in self._by_service.get(service_id, ())]

    def put_service(self, row: ServiceRow) -> None:
        """Add or replace a service."""
        service_id = row.service.id
        old = self.services.get(service_id)
        self.services[service_id] = row
        if old is None or old.service != row.service:
            self.mark_service(service_id)
        self.watches.fire((of_service(service_id),))

    def take_over_tags(self, service_id: str, tags: list[str]) -> None:
        """Replace a service's tags by those of the catalog (`EnableTagOverride`)."""
        row = self.services[service_id]
        self.services[service_id] = replace(row, service=replace(row.service, tags=tags))

    def remove_service(self, service_id: str) -> list[str]:
        """Remove a service and its checks; return the IDs of the checks."""
        del self.services[service_id]
        removed = list(self._by_service.get(service_id, ()))
        for check_id in removed:
            self.remove_check(check_id)
        self._services.pop(service_id, None)
        self._gone_services[service_id] = None
        self.watches.fire((of_service(service_id),))
        return removed

    def put_check(self, row: CheckRow, now: float) -> None:
        """Add or replace a check."""
        check_id = row.check.check_id
        old = self.checks.get(check_id)
        if old is not None and old.check.service_id != row.check.service_id:
            self._unlink(old.check)
        self._by_service.setdefault(row.check.service_id, {})[check_id] = None
        self.checks[check_id] = row
        self._note_critical(row.check, now)
        if old is None or old.check != row.check:
            self.mark_check(check_id)

    def remove_check(self, check_id: str) -> None:
        """Remove a check."""
        row = self.checks.pop(check_id)
        self._unlink(row.check)
        self.critical_since.pop(check_id, None)
        self.late.discard(check_id)
        self.untried.discard(check_id)
        self._checks.pop(check_id, None)
        self._gone_checks[check_id] = None

    def update_check(self, check_id: str, status: str, output: str, now: float, delay_output: bool) -> Update:
        """Store a check's result.  With `delay_output` a change of the output alone is only noted in `late`.

        The first output of a check that was critical from the start is not delayed, as Consul's is: it says why.
        """
        self.untried.discard(check_id)
        row = self.checks.get(check_id)
        if row is None or (row.check.status == status and row.check.output == output):
            return Update.NOTHING
        only_output = row.check.status == status and bool(row.check.output)
        check = replace(row.check, status=status, output=output)
        self.checks[check_id] = replace(row, check=check)
        self._note_critical(check, now)
        if only_output and delay_output and check_id not in self._checks:
            self.late.add(check_id)
            return Update.LATER
        self.mark_check(check_id)
        return Update.NOW

    def mark_node(self) -> None:
        """Mark the node as pending; likewise the two methods below for a service and a check."""
        self.node_differs = True

    def mark_service(self, service_id: str) -> None:
        self._gone_services.pop(service_id, None)
        self._services[service_id] = None

    def mark_check(self, check_id: str) -> None:
        self._gone_checks.pop(check_id, None)
        self.late.discard(check_id)
        self._checks[check_id] = None

    def mark_gone(self, services: Iterable[str], checks: Iterable[str]) -> None:
        """Mark rows of the catalog that are not held here for removal."""
        self._gone_services.update(dict.fromkeys(one for one in services if one not in self.services))
        self._gone_checks.update(dict.fromkeys(one for one in checks if one not in self.checks))

    def __bool__(self) -> bool:
        """Return whether anything is pending."""
        return bool(self.node_differs or self._services or self._checks or self._gone_services or self._gone_checks)

    def take(self) -> Pending:
        """Return everything that is pending, and clear the marks."""
        pending = Pending(
            self.node_differs,
            [self.services[service_id] for service_id in self._services if service_id in self.services],
            [self._with_service(self.checks[check_id]) for check_id in self._checks if check_id in self.checks],
            list(self._gone_services),
            list(self._gone_checks),
        )
        self.node_differs = False
        for marks in (self._services, self._checks, self._gone_services, self._gone_checks):
            marks.clear()
        return pending

    def give_back(self, pending: Pending) -> None:
        """Mark changes that could not be written as pending again, as far as they still apply."""
        self.node_differs = self.node_differs or pending.node
        services = [row.service.id for row in pending.services]
        checks = [row.check.check_id for row, _ in pending.checks]
        for service_id in services:
            if service_id in self.services:
                self.mark_service(service_id)
        for check_id in checks:
            if check_id in self.checks:
                self.mark_check(check_id)
        self.mark_gone([*pending.gone_services, *services], [*pending.gone_checks, *checks])

    def refreshed(self, pending: Pending) -> Pending:
        """Return changes that were taken, with the checks as they are now."""
        held = [self.checks[row.check.check_id] for row, _ in pending.checks if row.check.check_id in self.checks]
        checks = [self._with_service(row) for row in held]
        return Pending(pending.node, pending.services, checks, pending.gone_services, pending.gone_checks)

    def _with_service(self, row: CheckRow) -> tuple[CheckRow, ServiceRow | None]:
        return row, self.services.get(row.check.service_id)

    def _note_critical(self, check: HealthCheck, now: float) -> None:
        if check.status == CRITICAL:
            self.critical_since.setdefault(check.check_id, now)
        else:
            self.critical_since.pop(check.check_id, None)

    def _unlink(self, check: HealthCheck) -> None:
        siblings = self._by_service[check.service_id]
        siblings.pop(check.check_id, None)
        if not siblings:
            del self._by_service[check.service_id]
