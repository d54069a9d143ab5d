"""Alias checks: the health of another service instance, or of a node, as one status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING, HealthCheck


class AliasView(NamedTuple):
    """The checks of a node as an alias check may see them, and whether the node has the service that it follows."""

    checks: Iterable[HealthCheck]
    has_service: bool


class AliasViews(Protocol):
    """Finds the checks that alias checks follow; `key` is the alias check's own."""

    def local(self, service_id: str, key: str, /) -> AliasView:
        """Return the checks of this node."""

    async def remote(self, node: str, service_id: str, key: str, /) -> AliasView:
        """Return the checks of another node; raises when the catalog cannot be read."""


def alias_result(view: AliasView, node: str, service_id: str) -> tuple[str, str]:
    """Return status and output of a check that follows `service_id` on `node` (empty: this node).

    The node's own checks count too.  The first critical check decides, else the last warning one.
    """
    status, output, found = PASSING, "No checks found.", False
    for check in view.checks:
        if node and check.node != node:
            continue
        if check.service_id and check.service_id != service_id:
            continue
        found = found or check.service_id == service_id
        if check.status in (CRITICAL, WARNING):
            status, output = check.status, f'Aliased check "{check.name}" failing: {check.output}'
            if status == CRITICAL:
                break
        elif status == PASSING:
            output = "All checks passing."
    if not found and not view.has_service:
        return CRITICAL, f"Service {service_id} could not be found on node {node}"
    return status, output


class AliasIndex:
    """Keys of alias checks by the instance of this agent, or the other node, that they follow."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], set[str]] = {}

    def add(self, key: str, definition: CheckDefinition) -> None:
        """Add an alias check."""
        self._keys.setdefault(self._followed(definition.alias_node, definition.alias_service), set()).add(key)

    def remove(self, key: str, definition: CheckDefinition) -> None:
        """Remove an alias check."""
        followed = self._followed(definition.alias_node, definition.alias_service)
        keys = self._keys.get(followed, set())
        keys.discard(key)
        if not keys:
            self._keys.pop(followed, None)

    def of(self, node: str, service_id: str) -> frozenset[str]:
        """Return the alias checks that follow the service or, when a node is named, anything on it."""
        return frozenset(self._keys.get(self._followed(node, service_id), ()))

    @staticmethod
    def _followed(node: str, service_id: str) -> tuple[str, str]:
        return (node, "" if node else service_id)
