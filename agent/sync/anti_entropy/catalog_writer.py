"""Reads and writes the catalog for the syncer, each within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.sync.anti_entropy.contract import Catalog, NodeRows
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

CATALOG_TIMEOUT_S = 15.0  # for one read or write; the writer gives up on a disk sooner


class CatalogWriter:
    """Access to a catalog; each read and each write may take `timeout_s`."""

    def __init__(self, catalog: Catalog, timeout_s: float) -> None:
        self._catalog, self._timeout_s = catalog, timeout_s

    async def node_rows(self, node: str) -> NodeRows:
        """Return the rows of a node.  Raises what the catalog raises, TimeoutError."""
        async with asyncio.timeout(self._timeout_s):
            return await self._catalog.node_rows(node)

    async def write_all(
        self, registration: NodeRegistration, pending: Pending
    ) -> tuple[list[Pending], Exception | None]:
        """Write everything at once or, when that fails, part by part; the parts that are left, and the error."""
        try:
            await self._write(registration, pending)
        except (TimeoutError, Unavailable) as error:
            return [pending], error
        except Exception as error:  # of one row, or of several
            parts = pending.parts()
            return await self._write_parts(registration, parts) if len(parts) > 1 else (parts, error)
        return [], None

    async def _write_parts(
        self, registration: NodeRegistration, parts: Sequence[Pending]
    ) -> tuple[list[Pending], Exception | None]:
        left: list[Pending] = []
        failure: Exception | None = None
        for position, part in enumerate(parts):
            try:
                await self._write(registration, part)
            except (TimeoutError, Unavailable) as error:
                return [*left, *parts[position:]], error
            except Exception as error:
                failure = error
                left.append(part)
        return left, failure

    async def _write(self, registration: NodeRegistration, pending: Pending) -> None:
        """Raises what the catalog raises, TimeoutError."""
        async with asyncio.timeout(self._timeout_s):
            await self._catalog.apply(registration, pending)
