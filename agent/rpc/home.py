"""The connection to a server that a client agent keeps open, so that servers can send requests to it."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from pyconsul.agent.rpc.contract import NotSent, Servers
from pyconsul.agent.rpc.peers import MAX_BACKOFF_S, PeerConnections

PAUSE_S = 0.1  # after a change of connections or servers


class HomeConnection:
    """Connects to a server whenever the agent is connected to none.  Any server will do: they ask each other who has the agent."""

    def __init__(self, peers: PeerConnections, servers: Servers) -> None:
        self._peers, self._servers = peers, servers
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Connect no more; the connection stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        ends = [self._peers.subscribe(self._changed.set), self._servers.subscribe(self._changed.set)]
        try:
            while True:
                self._changed.clear()
                if await self._connect():
                    await self._changed.wait()
                    await asyncio.sleep(PAUSE_S)  # a server may accept connections and close each at once
                else:  # none answers: later, or as soon as gossip knows more
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), random.uniform(0.5, 1.0) * MAX_BACKOFF_S)
        finally:
            for end in ends:
                end()

    async def _connect(self) -> bool:
        """Return whether a server is connected, or none is known."""
        if any(peer.is_server for peer in self._peers.connected()):
            return True
        servers = list(self._servers.all())
        random.shuffle(servers)
        for server in servers:
            try:
                await self._peers.connect(server.node_id)
            except NotSent:  # in the log
                continue
            return True
        return not servers
