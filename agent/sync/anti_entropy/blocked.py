"""Rows whose tokens lack the permission to register or remove them: each is logged once, then counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import msgspec

from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import Pending

#: Whether a row may be written with a token ("service" or "node", and which): None, or who is refused (an accessor ID).
Permits: TypeAlias = Callable[[str, str, str], "str | None"]

log = logging.getLogger("agent.sync")


class Refusal(msgspec.Struct, frozen=True):
    """A row that a token does not permit to write, or to remove.

    kind: "node", "service" or "check".  accessor: the token's accessor ID.  resource, name: of the missing rule.
    """

    kind: str
    row_id: str
    accessor: str
    resource: str
    name: str
    removes: bool = False


class Blocked:
    """The rows whose tokens do not permit them, by kind, ID and accessor, with the number of attempts."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, str, str], int] = {}

    def permitted(self, pending: Pending, permits: Permits, node: str) -> Pending:
        """Return the part of the pending rows that may be written."""
        services = [row for row in pending.services if not self._refuses_service(row, permits)]
        checks = [(row, owner) for row, owner in pending.checks if not self._refuses_check(row, permits, node)]
        for service_id in pending.gone_services:
            self.permit("service", service_id)
        for check_id in pending.gone_checks:
            self.permit("check", check_id)
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

    def _note(self, kind: str, row_id: str, accessor: str | None, resource: str, name: str) -> bool:
        """Note whether a row is refused, and return that."""
        if accessor is None:
            self.permit(kind, row_id)
            return False
        self.refuse(Refusal(kind, row_id, accessor, resource, name))
        return True

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal; log the first of a row with a token, and every tenfold of it."""
        kind, row_id, accessor = key = refusal.kind, refusal.row_id, refusal.accessor
        count = self.attempts[key] = self.attempts.get(key, 0) + 1
        if str(count).strip("0") == "1":  # 1, 10, 100 …
            log.warning(
                '%s blocked by ACLs: %s=%s accessorID=%s attempts=%d missing=%s "%s" { policy = "write" } (%s)',
                _action(kind, refusal.removes), kind, row_id, accessor, count, refusal.resource, refusal.name,
                "set acl.tokens.agent" if kind == "node" or refusal.removes
                else "set the token of the registration, or acl.tokens.default",
            )  # fmt: skip

    def permit(self, kind: str, row_id: str) -> None:
        """Note that a row was written, or is no longer to be written."""
        if not self.attempts:
            return
        for key in [key for key in self.attempts if key[:2] == (kind, row_id)]:
            count = self.attempts.pop(key)
            log.info("%s no longer blocked by ACLs: %s=%s attempts=%d", _action(kind), kind, row_id, count)


def _action(kind: str, removes: bool = False) -> str:
    """Return what was attempted, in the words of Consul's log."""
    if kind == "node":
        return "Node info update"
    return f"{kind.capitalize()} {'deregistration' if removes else 'registration'}"
