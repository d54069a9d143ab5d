"""Keeps the relay of this server informed of the addresses of the others, and of the gossip keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pyconsul.agent.gossip.consul.tags import Server, server_of
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.rpc.contract import Servers

if TYPE_CHECKING:
    from pyconsul.agent.cluster.etcd.local import LocalEtcd

PERIOD_S = 1.0  # between two looks at the gossip keys


class RelayTable:
    """Follows gossip: addresses at once, keys within a second."""

    def __init__(self, own: Server, pool: Membership, servers: Servers) -> None:
        self._own, self._pool, self._servers = own, pool, servers
        self._etcd: LocalEtcd | None = None
        self._sent: object = None
        self._unsubscribe: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow from now on."""
        self._unsubscribe = self._servers.subscribe(self.refresh)
        self._task = asyncio.get_running_loop().create_task(self._poll())

    def stop(self) -> None:
        """Follow no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()

    def use(self, etcd: LocalEtcd | None) -> None:
        """Inform the relay of this etcd."""
        self._etcd, self._sent = etcd, None
        self.refresh()

    def refresh(self) -> None:
        """Send the table, if it has changed."""
        if self._etcd is None:
            return
        alive = self._alive()
        owners, others = {server.node_id: server.name for server in alive}, self._others(alive)
        addresses = {node_id: (server.address, server.port) for node_id, server in others.items()}
        names = {node_id: server.name for node_id, server in others.items()}
        table = addresses, owners, names, self._pool.keyring.keys
        if table != self._sent:
            self._sent = table
            self._etcd.use(self._own.name, *table)

    def _alive(self) -> list[Server]:
        """Return the other servers that are alive; of two with one node ID the one that counts."""
        return [
            server
            for server in self._servers.all()
            if server.node_id != self._own.node_id and self._servers.find(server.node_id) == server
        ]

    def _others(self, alive: Iterable[Server]) -> dict[str, Server]:
        """Return the other servers by node ID: failed ones, too, as they may be alive for etcd."""
        found = [server_of(member) for member in self._pool.members()]
        known = [server for server in found if server is not None and server.datacenter == self._own.datacenter]
        table = {server.node_id: server for server in [*known, *alive]}
        table.pop(self._own.node_id, None)
        return table

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            self.refresh()
