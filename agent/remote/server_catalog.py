"""The catalog of a server among others: it reads its own state, once it has one, and writes it while it leads; otherwise the
leader does."""

from __future__ import annotations

from collections.abc import Callable

from pyconsul.agent.httpapi.core.forwarding.standing import Standing
from pyconsul.agent.sync.anti_entropy.contract import Catalog, NodeRows
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


class ServerCatalog:
    """A `Catalog` of two: `own`, the state of this server, and `leader`, which is asked otherwise."""

    def __init__(self, own: Catalog, leader: Catalog, standing: Standing, leads: Callable[[], bool]) -> None:
        self._own, self._leader, self._standing, self._leads = own, leader, standing, leads

    async def node_rows(self, name: str) -> NodeRows:
        """Return the rows of a node.  Raises EngineError without a quorum."""
        if not self._standing.has_state:
            return await self._leader.node_rows(name)
        if (barrier := self._standing.barrier()) is not None:
            await barrier
        return await self._own.node_rows(name)

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        """Write changes; raises what the catalog in use raises."""
        catalog = self._own if self._leads() else self._leader
        await catalog.apply(registration, pending)
