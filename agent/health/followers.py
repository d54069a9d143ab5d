"""Which alias checks to look at again when the checks of a service or node change."""

from __future__ import annotations

from pyconsul.agent.health.definition import CheckDefinition


class Followers:
    """Keys of alias checks by what they follow: an instance of this agent, or another node as a whole."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], set[str]] = {}

    def add(self, key: str, definition: CheckDefinition) -> None:
        """Note what an alias check follows."""
        self._keys.setdefault(self._followed(definition.alias_node, definition.alias_service), set()).add(key)

    def remove(self, key: str, definition: CheckDefinition) -> None:
        """Forget an alias check."""
        followed = self._followed(definition.alias_node, definition.alias_service)
        keys = self._keys.get(followed, set())
        keys.discard(key)
        if not keys:
            self._keys.pop(followed, None)

    def of(self, node: str, service_id: str) -> frozenset[str]:
        """The alias checks that follow the service, or anything on the node when one is named."""
        return frozenset(self._keys.get(self._followed(node, service_id), ()))

    @staticmethod
    def _followed(node: str, service_id: str) -> tuple[str, str]:
        return (node, "" if node else service_id)
