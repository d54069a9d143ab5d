"""Chooses the server of the datacenter that is asked next."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

from pyconsul.agent.rpc.contract import Servers

#: Bounds of the random time after which another server is preferred, so that load spreads over servers that came later; Consul's.
REBALANCE_S = 120.0, 180.0


class ServerChoice:
    """The servers in the order in which this agent prefers them.

    The first one is asked until it fails, which makes it the last.  now: seconds of a clock that never goes back.
    """

    def __init__(self, servers: Servers, own_id: str, now: Callable[[], float], rng: random.Random) -> None:
        self._servers, self._own_id, self._now, self._rng = servers, own_id, now, rng
        self._order: list[str] = []
        self._rebalance_at = now() + rng.uniform(*REBALANCE_S)

    def known(self) -> list[str]:
        """Return the node IDs of all servers that are alive, other than this agent, in the order of preference."""
        alive = {server.node_id for server in self._servers.all()} - {self._own_id}
        if self._now() >= self._rebalance_at:
            self._rebalance_at = self._now() + self._rng.uniform(*REBALANCE_S)
            self._rng.shuffle(self._order)
        if alive != set(self._order):
            added = sorted(alive.difference(self._order))
            self._rng.shuffle(added)
            self._order = [*(node_id for node_id in self._order if node_id in alive), *added]
        return self._order

    def next(self, tried: Collection[str] = ()) -> str:
        """Return the server to ask, other than those that were tried; "" when none is left."""
        return next((node_id for node_id in self.known() if node_id not in tried), "")

    def failed(self, node_id: str) -> None:
        """Prefer the other servers from now on."""
        if node_id in self._order:
            self._order.remove(node_id)
            self._order.append(node_id)
