"""The first contact of a restarted agent with its catalog.

Polled checks that have not run yet then take over the status that the catalog shows, so that a restart does not take healthy
services out of use.  Nothing is written before that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.sync.anti_entropy.contract import Catalog, NodeRows
from pyconsul.agent.sync.local_state import LocalState, Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

Adopt = Callable[[Mapping[str, HealthCheck]], None]


class FirstContact:
    """The rows of one agent in a catalog that may be out of reach when this agent starts.

    shown: the checks of the agent's node, by ID, that the catalog had at the first contact; empty before.
    """

    def __init__(self, catalog: Catalog, local: LocalState) -> None:
        self._catalog, self._local = catalog, local
        self._adopt: Adopt = lambda _: None
        self._is_made = False
        self.shown: dict[str, HealthCheck] = {}

    def subscribe(self, adopt: Adopt) -> None:
        """Call a listener with `shown` at the first contact, before anything is written."""
        self._adopt = adopt

    async def node_rows(self, name: str) -> NodeRows:
        """Return the rows of the agent's node.  Raises what the catalog raises."""
        rows = await self._catalog.node_rows(name)
        if not self._is_made:
            self._is_made = True
            self.shown.update(rows.checks)
            self._adopt(self.shown)
        return rows

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        """Write changes; at the first contact with the statuses that were taken over.  Raises what the catalog raises."""
        if not self._is_made:
            await self.node_rows(registration.node.node)
            pending = self._local.refreshed(pending)
        await self._catalog.apply(registration, pending)
