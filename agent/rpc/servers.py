"""The servers of this agent's datacenter that are alive, from the members of the LAN pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyconsul.agent.gossip.consul.tags import Server, server_of
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged
from pyconsul.agent.model.member import Member, MemberStatus


class GossipServers:
    """Implements `Servers` over a gossip pool."""

    def __init__(self, pool: Membership, datacenter: str) -> None:
        self._datacenter = datacenter
        self._by_name: dict[str, Server] = {}
        self._by_node_id: dict[str, Server] = {}
        self._listeners: list[Callable[[], None]] = []
        self._end = pool.subscribe(self._follow)
        for member in pool.members():
            self._learn(member)

    def close(self) -> None:
        """Follow the pool no longer."""
        self._end()

    def all(self) -> Sequence[Server]:
        """Return all of them, this agent included if it is one."""
        return list(self._by_name.values())

    def find(self, node_id: str) -> Server | None:
        """Return the server with a node ID."""
        return self._by_node_id.get(node_id)

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        """Call a listener whenever a server is added, removed, or has another address; returns a function that ends it."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def _follow(self, event: PoolEvent) -> None:
        if isinstance(event, MemberChanged) and self._learn(event.member):
            for listener in list(self._listeners):
                listener()

    def _learn(self, member: Member) -> bool:
        """Take the new state of a member; return whether that changed anything."""
        found = server_of(member) if member.status == MemberStatus.ALIVE else None
        if found is not None and (found.datacenter != self._datacenter or not found.node_id):
            found = None
        before = self._by_name.get(member.name)
        if found == before:
            return False
        if found is None:
            del self._by_name[member.name]
        else:
            self._by_name[member.name] = found
        # The later one of two with one node ID has a copied data folder, or is the same machine under another name: then the
        # first one fails soon, and the later one counts.
        self._by_node_id = {server.node_id: server for server in reversed(self._by_name.values())}
        return True
