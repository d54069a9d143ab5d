"""Contract of anti-entropy with a catalog, local or remote: read the rows of one node, and write changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration


@dataclass(frozen=True, slots=True)
class NodeRows:
    """The catalog's rows of one node; services and checks by ID.

    cluster_nodes: the number of nodes in the catalog, which the interval between two full syncs depends on.
    """

    node: Node | None = None
    services: Mapping[str, NodeService] = field(default_factory=dict)
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    cluster_nodes: int = 0


class Catalog(Protocol):
    """The catalog that an agent registers its node, services and checks in."""

    async def node_rows(self, name: str) -> NodeRows:
        """Return the rows of a node; names compare without case."""

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        """Write changes durably, all or none; the node itself is written when it is marked or missing.

        Raises TimeoutError or Unavailable when nothing can be written at present, anything else when a row is refused.
        """
