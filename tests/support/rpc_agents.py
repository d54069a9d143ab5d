"""Agents that send requests to each other over loopback, without the rest of an agent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import msgspec

from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer, Serve
from pyconsul.agent.rpc.listener import Listener
from pyconsul.agent.rpc.peers import PeerConnections
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.rpc.transport.handshake import Identity
from pyconsul.agent.rpc.transport.serving import Service

STOP_S = 5.0
DEFAULTS = RPCSettings()


def get(target: str, body: bytes = b"", stream: AsyncIterator[bytes] | None = None) -> HTTPRequest:
    """Return a request."""
    request = HTTPRequest("GET", target.encode(), {b"x-test": b"yes"}, body)
    request.stream = stream
    return request


def echo(request: HTTPRequest, peer: Peer) -> Response:
    """Respond with what was asked, and by whom."""
    return Response(
        200,
        b"%b %b by %b" % (request.method.encode(), request.target, peer.name.encode()),
        ((b"X-Body", request.body),),
    )


def server_at(name: str, port: int, address: str = "127.0.0.1") -> Server:
    """Return a server as gossip describes it."""
    return Server(name, f"id-{name}", "dc1", address, port, 0, "1.21.4", False, 3, False)


class ListedServers:
    """Implements `Servers` over a list."""

    def __init__(self, *servers: Server) -> None:
        self._servers = {server.node_id: server for server in servers}
        self._listeners: list[Callable[[], None]] = []

    def all(self) -> list[Server]:
        return list(self._servers.values())

    def find(self, node_id: str) -> Server | None:
        return self._servers.get(node_id)

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def put(self, server: Server) -> None:
        """Add a server, or give it another address."""
        self._servers[server.node_id] = server
        self._publish()

    def drop(self, name: str) -> None:
        """Take a server out: it has failed."""
        del self._servers[f"id-{name}"]
        self._publish()

    def _publish(self) -> None:
        for listener in list(self._listeners):
            listener()


class Network:
    """The agents of one test; they end with it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.servers = ListedServers()
        self._stack = stack

    async def server(
        self,
        name: str,
        serve: Serve = echo,
        *,
        hand_over: Callable[[socket.socket, str], None] | None = None,
        settings: RPCSettings = DEFAULTS,
        keys: tuple[bytes, ...] = (),
        port: int = 0,
        datacenter: str = "dc1",
    ) -> Agent:
        """Start a server, and make it known to all."""
        listening = socket.create_server(("127.0.0.1", port))
        identity = Identity(f"id-{name}", name, datacenter, True, "1.2.3", keys)
        agent = Agent(identity, self.servers, serve, settings, listening, hand_over)
        self._stack.push_async_callback(agent.stop, STOP_S)
        self.servers.put(server_at(name, listening.getsockname()[1]))
        return agent

    async def client(
        self,
        name: str,
        serve: Serve = echo,
        *,
        settings: RPCSettings = DEFAULTS,
        keys: tuple[bytes, ...] = (),
        datacenter: str = "dc1",
    ) -> Agent:
        """Start a client agent."""
        agent = Agent(Identity(f"id-{name}", name, datacenter, False, "1.2.3", keys), self.servers, serve, settings)
        self._stack.push_async_callback(agent.stop, STOP_S)
        return agent


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """Yield a network without agents."""
    async with AsyncExitStack() as stack:
        yield Network(stack)


class Agent:
    """The RPC part of one agent."""

    def __init__(
        self,
        identity: Identity,
        servers: ListedServers,
        serve: Serve,
        settings: RPCSettings,
        listening: socket.socket | None = None,
        hand_over: Callable[[socket.socket, str], None] | None = None,
    ) -> None:
        self.node_id, self.name = identity.node_id, identity.name
        self.identity = identity
        self.peers = PeerConnections(lambda: self.identity, servers, Service(serve), lambda: settings)
        self.port = 0
        self._listener: Listener | None = None
        if listening is not None:
            self.port = listening.getsockname()[1]
            self._listener = Listener(
                [listening],
                lambda: self.identity,
                lambda: settings,
                self.peers.made_by_listener,
                self.peers.refusal,
                hand_over,
            )
            self._listener.start()

    async def ask(self, agent: Self, request: HTTPRequest) -> Response:
        """Send a request to another agent."""
        return await asyncio.wait_for(self.peers.ask(agent.node_id, request), 20)

    def use_keys(self, *keys: bytes) -> None:
        """Rotate the gossip keys."""
        self.identity = msgspec.structs.replace(self.identity, keys=keys)

    async def stop(self, grace_s: float = STOP_S) -> None:
        """End it."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self.peers.stop(grace_s)
