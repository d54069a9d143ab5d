"""The connections of this agent to others: dialed when they are needed, one for each pair of agents."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import secrets
from collections.abc import Callable
from urllib.parse import parse_qs

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.httpapi.core.admission import Bucket
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer, RateExceeded, Servers
from pyconsul.agent.rpc.notices import Notices
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.rpc.transport import handshake, proof
from pyconsul.agent.rpc.transport.connection import TICK_S, Connection, transport_of
from pyconsul.agent.rpc.transport.handshake import HandshakeError, Identity
from pyconsul.agent.rpc.transport.introduction import Introduction
from pyconsul.agent.rpc.transport.serving import Service

CONNECT_S = 2.0  # for the system to connect, its second try included: a machine that is off must not hold requests long
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 2.0  # after a dial that failed
LONGEST_WAIT_S = 600.0  # of a blocking query that does not say how long

log = logging.getLogger("agent.rpc")


class Dial:
    """Dialing of one server.  found: the connection, for all that wait; None while it is not dialed."""

    def __init__(self) -> None:
        self.found: asyncio.Future[Connection] | None = None
        self.address = ""
        self._reason = ""
        self._retry_at = self._backoff_s = 0.0

    def start(self, address: str, found: asyncio.Future[Connection]) -> None:
        """Begin to dial."""
        self.address, self.found = address, found

    def succeed(self, connection: Connection) -> None:
        """Give a connection to all that wait."""
        self._retry_at = self._backoff_s = 0.0
        found, self.found = self.found, None
        if found is not None:
            found.set_result(connection)

    def fail(self, reason: str, now: float) -> None:
        """Give the reason to all that wait, and to those that come too soon."""
        self._reason = reason
        self._backoff_s = min(max(2 * self._backoff_s, MIN_BACKOFF_S), MAX_BACKOFF_S)
        self._retry_at = now + self._backoff_s * random.uniform(0.5, 1.0)
        found, self.found = self.found, None
        if found is not None:
            found.set_exception(NotSent(reason))

    def refusal(self, address: str, now: float) -> str:
        """Return why this address is not dialed yet, or ""."""
        return self._reason if address == self.address and now < self._retry_at else ""


class PeerConnections:
    """Implements `Peers`.

    identity: this agent, with the gossip keys of the moment.  service: answers requests of other agents.  settings: those in force.
    """

    def __init__(
        self,
        identity: Callable[[], Identity],
        servers: Servers,
        service: Service,
        settings: Callable[[], RPCSettings] = RPCSettings,
    ) -> None:
        self._identity, self._servers, self._service, self._settings = identity, servers, service, settings
        self._loop = asyncio.get_running_loop()
        self._notices = Notices(self._loop.time)
        self._by_node_id: dict[str, Connection] = {}
        self._by_name: dict[str, Connection] = {}
        self._all: set[Connection] = set()
        self._dials: dict[str, Dial] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[], None]] = []
        self._limit = (-1.0, 0)  # of which `_bucket` is
        self._bucket = Bucket(-1.0, 0.0)
        self._is_stopping = False
        self._next_tick = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._next_tick, self._tick)
        servers.subscribe(self._servers_changed)

    # --- the contract

    def find(self, name: str) -> Peer | None:
        """Return a connected agent by its node name, without regard to case."""
        connection = self._by_name.get(name.lower())
        return None if connection is None else connection.peer

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        """Send a request and return its response.  Raises NotSent, Lost, RateExceeded."""
        settings = self._settings()
        if settings.rate >= 0:
            self._count_request(settings)
        connection = self._by_node_id.get(node_id)
        if connection is None:
            made = await self._connect(node_id)
            connection = self._by_node_id.get(node_id, made)  # it may have lost against another one meanwhile
        timeout_s = settings.client_timeout_s
        if timeout_s and b"index=" in request.target:
            timeout_s += longest_wait_s(request.target)
        return await connection.ask(request, timeout_s)

    def _count_request(self, settings: RPCSettings) -> None:
        """Raises RateExceeded for a request of a client agent that sends too many."""
        if self._identity().is_server:
            return
        now, limit = self._loop.time(), (settings.rate, settings.max_burst)
        if limit != self._limit:
            self._limit, self._bucket = limit, Bucket(settings.rate, now, settings.max_burst)
        if not self._bucket.take(now):
            raise RateExceeded("RPC rate limit exceeded")  # Consul's text

    # --- for the owner

    def connected(self) -> list[Peer]:
        """Return the agents to which requests can be sent without dialing."""
        return [connection.peer for connection in self._by_node_id.values()]

    @property
    def open_connections(self) -> int:
        """Return the number of connections, including those that are ending."""
        return len(self._all)

    @property
    def requests_under_way(self) -> int:
        """Return the number of requests under way in both directions, with all agents."""
        return sum(connection.in_flight for connection in self._all)

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        """Call a listener whenever an agent is connected, or not any more; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def connect(self, node_id: str) -> None:
        """Connect to a server, if it is not connected.  Raises NotSent."""
        if node_id not in self._by_node_id:
            await self._connect(node_id)

    async def stop(self, grace_s: float) -> None:
        """End all connections in order: requests under way are answered, for so many seconds at most."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()
        for connection in list(self._all):
            connection.leave(f"agent {self._identity().name} is stopping")
        ended = [connection.ended for connection in self._all]
        if ended:
            await asyncio.wait(ended, timeout=grace_s)
        for connection in list(self._all):
            connection.fail("this agent is stopping")
        self._timer.cancel()

    def refusal(self, peer: Peer) -> str:
        """Return why an agent that dials is not wanted, or "".

        Two agents with one node ID would end each other's connection again and again.
        """
        old = self._by_node_id.get(peer.node_id)
        if old is None or not old.is_open or old.peer.name == peer.name:
            return ""
        return handshake.same_node_id(peer.name, old.peer.name, peer.node_id)

    def made_by_listener(self, transport: asyncio.Transport, peer: Peer) -> Connection:
        """Return the connection of an agent that has dialed this one."""
        return self._made(transport, peer, is_dialer=False)

    # --- connections

    def _made(self, transport: asyncio.Transport, peer: Peer, *, is_dialer: bool) -> Connection:
        connection = Connection(
            transport, peer, is_dialer=is_dialer, service=self._service, changed=self._connection_changed
        )
        self._all.add(connection)
        log.debug(
            "connected: agent=%s address=%s version=%s dialed=%s",
            peer.name, connection.remote, peer.version, str(is_dialer).lower(),
        )  # fmt: skip
        if self._is_stopping:
            connection.fail("this agent is stopping")
            return connection
        loser = self._loser(self._by_node_id.get(peer.node_id), connection)
        if loser is not connection:
            self._by_node_id[peer.node_id] = self._by_name[peer.name.lower()] = connection
            self._publish()
        if loser is not None:
            loser.leave()
        if (dial := self._dials.get(peer.node_id)) is not None:
            dial.succeed(self._by_node_id[peer.node_id])
        return connection

    def _loser(self, old: Connection | None, new: Connection) -> Connection | None:
        """Return the connection that ends, of two to the same agent."""
        if old is None or not old.is_open:
            return None
        if old.is_dialer == new.is_dialer:
            old.fail(f"agent {new.peer.name} has connected again")
            return None
        # Both have dialed at once: that of the agent with the smaller node ID stays, on both sides.
        keeps_own = self._identity().node_id < new.peer.node_id
        return old if new.is_dialer == keeps_own else new

    def _connection_changed(self, connection: Connection) -> None:
        if not connection.is_open:
            peer = connection.peer
            if self._by_node_id.get(peer.node_id) is connection:
                del self._by_node_id[peer.node_id]
                self._publish()
            if self._by_name.get(peer.name.lower()) is connection:
                del self._by_name[peer.name.lower()]
        if connection.ended.done() and connection in self._all:
            self._all.discard(connection)
            log.debug("connection ended: agent=%s reason=%r", connection.peer.name, connection.reason)

    def _publish(self) -> None:
        for listener in list(self._listeners):
            listener()

    def _servers_changed(self) -> None:
        """Wait no longer for servers that have failed or left."""
        for connection in list(self._all):
            peer = connection.peer
            if peer.is_server and self._servers.find(peer.node_id) is None:
                connection.doubt(f"server {peer.name} has failed or left")
        for node_id, dial in self._dials.items():
            if dial.found is not None and self._servers.find(node_id) is None:
                dial.fail("the server has failed or left", self._loop.time())

    def _tick(self) -> None:
        now = self._loop.time()
        late_s = now - self._next_tick
        for connection in list(self._all):
            connection.tick(now, late_s)
        self._next_tick = now + TICK_S
        self._timer = self._loop.call_at(self._next_tick, self._tick)

    # --- dialing

    async def _connect(self, node_id: str) -> Connection:
        """Return the connection to a server, dialing it if that was not begun before.  Raises NotSent."""
        own, server = self._identity(), self._servers.find(node_id)
        if self._is_stopping:
            raise NotSent(f"agent {own.name} is stopping")
        if node_id == own.node_id:
            raise NotSent(f"agent {own.name} cannot send requests to itself")
        if server is None:
            raise NotSent(f"agent {node_id} is not connected, and not known as a server that is alive")
        dial = self._dials.setdefault(node_id, Dial())
        if dial.found is None:
            address = join_address(server.address, server.port)
            if reason := dial.refusal(address, self._loop.time()):
                raise NotSent(reason)
            found: asyncio.Future[Connection] = self._loop.create_future()
            found.add_done_callback(_retrieved)
            dial.start(address, found)
            task = self._loop.create_task(self._dial(server, dial, own))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            found = dial.found
        try:
            return await asyncio.shield(found)
        except NotSent as error:  # each that waits gets its own
            raise NotSent(str(error)) from None

    async def _dial(self, server: Server, dial: Dial, own: Identity) -> None:
        """Dial a server; `_made` gives the connection to those that wait."""
        where = f"server {server.name} at {dial.address}"
        try:
            async with asyncio.timeout(self._settings().handshake_timeout_s):
                await self._open(server, own)
        except OSError as error:
            is_late = isinstance(error, TimeoutError) and error.errno is None
            late = f"no handshake in {self._settings().handshake_timeout_s:g} s"
            reason = f"cannot reach {where}: {late if is_late else phrase(error)}"
        except HandshakeError as error:
            reason = f"{where} refuses the connection: {error}"
        except asyncio.CancelledError:
            dial.fail(f"agent {own.name} is stopping", self._loop.time())
            raise
        else:
            return
        dial.fail(reason, self._loop.time())
        self._notices.warn(reason)

    async def _open(self, server: Server, own: Identity) -> None:
        """Connect, and run the handshake.  (TLS: give the context to `create_connection`.)"""
        steps = handshake.dialing(own, server.node_id, secrets.token_bytes(proof.NONCE_BYTES))

        def made(transport: asyncio.Transport, peer: Peer) -> Connection:
            return self._made(transport, peer, is_dialer=True)

        try:
            async with asyncio.timeout(CONNECT_S):
                transport, introduction = await self._loop.create_connection(
                    lambda: Introduction(steps, made), server.address, server.port
                )
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "") from None
        try:
            await introduction.connection
        except BaseException:
            transport_of(transport).abort()
            raise


def longest_wait_s(target: bytes) -> float:
    """Return how long a blocking query may wait, its random part included."""
    query = target.partition(b"?")[2].decode("utf-8", "replace")
    given = parse_qs(query).get("wait", [""])[0]
    try:
        wait_s = max(parse_go_duration_s(given), 0.0) if given else LONGEST_WAIT_S
    except ValueError:
        wait_s = 0.0  # refused at once
    return wait_s * 17 / 16


def _retrieved(found: asyncio.Future[Connection]) -> None:
    """A dial may fail when those that waited are gone."""
    if not found.cancelled():
        found.exception()
