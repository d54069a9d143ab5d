"""The checks that an alias check sees, on this node or another one, limited to what its token may read."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from pyconsul.agent.health.alias import AliasView
from pyconsul.agent.model.check import PASSING, HealthCheck
from pyconsul.agent.sync.anti_entropy.blocked import Permits
from pyconsul.agent.sync.anti_entropy.contract import Catalog
from pyconsul.agent.sync.local_state import LocalState

CONCEALED = "hidden by ACLs"  # instead of the name of a check


class AliasViews:
    """Views of alias checks.  `reads` authorizes a token to read a service or node; None: ACLs are off."""

    def __init__(self, local: LocalState, catalog: Catalog, reads: Permits | None = None) -> None:
        self._local, self._catalog, self._reads = local, catalog, reads

    def local(self, service_id: str, check_id: str) -> AliasView:
        """Return the checks of this node as the alias check `check_id` sees them."""
        held = [row.check for row in self._local.checks.values()]
        return AliasView(self._readable(check_id, held), service_id in self._local.services)

    async def remote(self, node: str, service_id: str, check_id: str) -> AliasView:
        """Return the checks of another node; raises what the catalog raises."""
        rows = await self._catalog.node_rows(node)
        return AliasView(self._readable(check_id, rows.checks.values()), service_id in rows.services)

    def _readable(self, check_id: str, checks: Iterable[HealthCheck]) -> list[HealthCheck]:
        """Conceal name and output of failing checks that the token may not read; their status counts all the same."""
        reads = self._reads
        if reads is None:
            return list(checks)
        row = self._local.checks.get(check_id)
        token = row.token if row is not None else ""
        return [
            check
            if check.status == PASSING or reads(token, *_resource(check)) is None
            else replace(check, name=CONCEALED, output="")
            for check in checks
        ]


def _resource(check: HealthCheck) -> tuple[str, str]:
    """Return kind and name of the resource that a check belongs to."""
    return ("service", check.service_name) if check.service_id else ("node", check.node)
