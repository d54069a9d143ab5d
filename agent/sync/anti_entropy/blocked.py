"""Rows whose tokens lack the permission to register them: each is logged once, then counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import Pending

#: Whether a row may be written with a token ("service" or "node", and which): None, or who is refused (an accessor ID).
Permits: TypeAlias = Callable[[str, str, str], "str | None"]

log = logging.getLogger("agent.sync")


class Blocked:
    """The services and checks whose tokens do not permit them, by kind and ID, with the number of attempts."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, str, str], int] = {}

    def permitted(self, pending: Pending, permits: Permits, node: str) -> Pending:
        """Return the part of the pending rows that may be written."""
        services = [row for row in pending.services if not self._refuses_service(row, permits)]
        checks = [(row, owner) for row, owner in pending.checks if not self._refuses_check(row, permits, node)]
        for service_id in pending.gone_services:
            self._forget("service", service_id)
        for check_id in pending.gone_checks:
            self._forget("check", check_id)
        return replace(pending, services=services, checks=checks)

    def _refuses_service(self, row: ServiceRow, permits: Permits) -> bool:
        service = row.service
        return self._note(
            "service", service.id, permits(row.token, "service", service.service), "service", service.service
        )

    def _refuses_check(self, row: CheckRow, permits: Permits, node: str) -> bool:
        check = row.check
        resource, name = ("service", check.service_name) if check.service_id else ("node", node)
        return self._note("check", check.check_id, permits(row.token, resource, name), resource, name)

    def _note(self, what: str, row_id: str, accessor: str | None, resource: str, name: str) -> bool:
        """Log the first refusal of a row with a token, and every tenfold of it; whether there is one."""
        if accessor is None:
            self._forget(what, row_id)
            return False
        key = what, row_id, accessor
        count = self.attempts[key] = self.attempts.get(key, 0) + 1
        if str(count).strip("0") == "1":  # 1, 10, 100 …
            log.warning(
                '%s registration blocked by ACLs: %s=%s accessorID=%s attempts=%d missing=%s "%s" { policy = "write" } '
                "(set the token of the registration, or acl.tokens.default)",
                what.capitalize(), what, row_id, accessor, count, resource, name,
            )  # fmt: skip
        return True

    def _forget(self, what: str, row_id: str) -> None:
        if not self.attempts:
            return
        for key in [key for key in self.attempts if key[:2] == (what, row_id)]:
            count = self.attempts.pop(key)
            log.info(
                "%s registration no longer blocked by ACLs: %s=%s attempts=%d", what.capitalize(), what, row_id, count
            )
