"""Servers and client agents in one process: each has its own HTTP API, all share one state, and requests between them are calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from pyconsul.agent.engine.contract import EngineError, Passed
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Scope
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer
from pyconsul.agent.rpc.forwarding.forwarder import ServerForwarder
from pyconsul.agent.rpc.forwarding.peer_requests import PeerRequests
from pyconsul.agent.rpc.forwarding.server_requests import ServerRequests
from support.http_api import Api, in_memory
from support.scripted_pool import ScriptedPool, server


class ScriptedStanding:
    """The place of an agent, as a test sets it.  barriers: those begun that have not ended."""

    def __init__(self, agents: JoinedAgents, name: str, server: bool) -> None:
        self._agents, self._name, self._server = agents, name, server
        self.always_current, self.has_state, self.last_contact_ms = False, True, 0
        self.held = False  # barriers wait until the test ends them
        self.barriers: list[asyncio.Future[None]] = []

    @property
    def knows_leader(self) -> bool:
        return bool(self._agents.leader) and self._name not in self._agents.deaf

    def serves(self, scope: Scope) -> bool:
        if scope == "local" or not self._server:
            return scope == "local"
        if scope == "read":
            return self._name not in self._agents.deaf
        return scope == "memory" or self._agents.leader == self._name

    def barrier(self) -> asyncio.Future[None]:
        barrier: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.held:
            self.barriers.append(barrier)
        elif self.knows_leader:
            barrier.set_result(None)
        else:
            barrier.set_exception(EngineError(NO_LEADER))
        return barrier

    def after_barrier(self, passed: Passed) -> None:
        self.barrier().add_done_callback(lambda barrier: passed(barrier.exception()))  # type: ignore[arg-type]


class JoinedAgents:
    """All agents.

    leader: name of the server that leads, which is its node ID, too; "" for none.  gone: agents that cannot be reached.
    failed: agents that gossip knows as failed.
    deaf: servers whose engine has no quorum.
    refusals: for an agent, the errors that its next requests end with, instead of being served.
    served: "asker>server METHOD target" of each request between agents.
    """

    def __init__(self, servers: Sequence[str] = ("s1", "s2", "s3"), clients: Sequence[str] = ("c1",), **settings: Any):
        self.leader = servers[0] if servers else ""
        self.gone: set[str] = set()
        self.failed: set[str] = set()
        self.deaf: set[str] = set()
        self.refusals: dict[str, list[Exception]] = {}
        self.served: list[str] = []
        self.tokens: list[str] = []  # of the same requests
        self.state = in_memory()
        self._server_names = servers
        self.agents = {name: JoinedAgent(self, name, name in servers, settings) for name in (*servers, *clients)}

    def __getitem__(self, name: str) -> JoinedAgent:
        return self.agents[name]

    def all(self) -> Sequence[Server]:
        """Return the servers that are alive."""
        names = [name for name in self._server_names if name not in self.failed]
        return [Server(name, name, "dc1", "10.0.0.1", 8300, 0, "", False, 0, False) for name in names]

    def find(self, node_id: str) -> Server | None:
        return next((server for server in self.all() if server.node_id == node_id), None)

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        return lambda: None


class JoinedAgent(Api):
    """One agent."""

    def __init__(self, agents: JoinedAgents, name: str, is_server: bool, settings: dict[str, Any]) -> None:
        self._agents, self.name, self._is_server = agents, name, is_server
        self.standing = ScriptedStanding(agents, name, is_server)
        super().__init__(
            ScriptedPool(server(name)), state=agents.state, standing=self.standing, forwarder=self._forwarder,
            server=is_server, **settings,
        )  # fmt: skip
        self.peer_requests = PeerRequests(self.app, self.standing, self.requests, lambda: agents.leader)

    def _forwarder(self, context: Any) -> ServerForwarder:
        agents = self._agents
        self.requests = ServerRequests(
            agents, self, self.standing, own_id=self.name, leader=(lambda: agents.leader) if self._is_server else None,
            hold_s=lambda: context.config.performance.rpc_hold_timeout, rng=random.Random(1),
        )  # fmt: skip
        return ServerForwarder(context, self.requests)

    # As `Peers`

    def find(self, name: str) -> Peer | None:
        return None

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        """Send a request to another agent."""
        agents = self._agents
        if node_id in agents.gone:
            raise NotSent(f"cannot reach {node_id}")
        agents.served.append(f"{self.name}>{node_id} {request.method} {request.target.decode()}")
        agents.tokens.append(request.headers.get(b"x-consul-token", b"").decode())
        if refusals := agents.refusals.get(node_id):
            raise refusals.pop(0)
        arrived = Request(request.method, request.target, request.headers, request.body, request.remote)
        arrived.origin = self.name
        try:
            served = agents[node_id].peer_requests.serve(arrived, Peer(self.name, self.name, "dc1", self._is_server))
            response: Any = served if isinstance(served, Response) else await served
        except NotSent as error:
            raise NotSent(f"agent {node_id}: {error}") from None  # as the transport words it
        assert isinstance(response, Response)
        return response
