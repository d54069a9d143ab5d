"""Servers of one datacenter in this process: real etcd members and relays; gossip and RPC are scripted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pyconsul.agent.cluster.cluster import ServerCluster
from pyconsul.agent.cluster.etcd.member import MemberSettings
from pyconsul.agent.cluster.settings import ClusterSettings
from pyconsul.agent.cluster.standing import ClusterStanding
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.embedded.engine import EmbeddedEngine
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.engine.history.contract import Retention
from pyconsul.agent.engine.switchable import SwitchableEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.gossip.consul.tags import ServerTags, server_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus
from pyconsul.agent.rpc.contract import NotSent, Peer
from pyconsul.agent.rpc.servers import GossipServers
from pyconsul.agent.state import kv
from pyconsul.agent.state.schemas import ALL, KV
from pyconsul.agent.state.store import Store
from support.eventually import eventually_async
from support.scripted_pool import BUILD, FAILED, ScriptedPool

FAST = MemberSettings(heartbeat_interval_ms=30, election_timeout_ms=300)
HISTORY = Retention(100, 1e9, 1 << 30)
FIRST_INDEX = 10


class Machine:
    """One server.  Its data stay when it is stopped or killed, and it can be started again."""

    def __init__(self, town: Town, number: int, settings: ClusterSettings) -> None:
        self.town, self.settings = town, settings
        self.name, self.node_id = f"s{number}", f"{number:08x}-0000-4000-8000-000000000000"
        self.folder = town.folder / self.name
        self.folder.mkdir(exist_ok=True)
        self.is_running = False
        self.port = 0

    def member(self, status: MemberStatus = MemberStatus.ALIVE) -> Member:
        """Return this server as gossip shows it."""
        expect = "alone" if self.settings.is_bootstrapped else self.settings.expect or None
        tags = ServerTags(node_id=self.node_id, datacenter="dc1", build=BUILD, port=self.port, bootstrap=expect)
        return Member(self.name, "127.0.0.1", 8301, tags.for_lan(), status)

    async def start(self) -> Machine:
        """Start it, with a new port, and let the others see it."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.pool = ScriptedPool(self.member())
        own = server_of(self.member())
        assert own is not None
        self.engine = SwitchableEngine(HISTORY)
        self.single = EmbeddedEngine(self.folder / "state.db", ALL, HISTORY)
        servers = GossipServers(self.pool, "dc1")
        self.cluster = ServerCluster(
            self.folder / "cluster", own, self.engine, self.single, self.settings, self.pool, servers, TownPeers(self)
        )
        await self.cluster.open()
        loaded = await self.engine.load()
        self.store = Store(loaded.rows, loaded.index or FIRST_INDEX, min_floor=FIRST_INDEX)
        self.follower = Follower(self.store, self.engine)
        self.follower.start()
        self.writer = Writer(self.store, self.engine, follower=self.follower)
        self.standing = ClusterStanding(self.cluster, self.store, self.follower)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())
        self.is_running = True
        self.town.gossip()
        await self.cluster.start()
        return self

    async def _accept(self) -> None:
        while True:
            sock, peer = await asyncio.get_running_loop().sock_accept(self._listener)
            self.cluster.hand_over(sock, str(peer))

    async def stop(self) -> None:
        """Stop it in order."""
        if self.is_running:
            await self.cluster.stop()
            await self._end()

    async def _end(self) -> None:
        self.is_running = False
        self.follower.stop()
        self._accepting.cancel()
        self._listener.close()
        await self.engine.close()
        self.town.gossip()

    async def put(self, key: str, value: bytes = b"v") -> None:
        """Write a key at this server."""
        await self.writer.commit(lambda txn: kv.put(txn, key, value, 0))

    async def keys(self) -> set[str]:
        """Return all keys after a barrier."""
        if (barrier := self.standing.barrier()) is not None:
            await barrier
        return {row.key for row in self.store[KV]}

    async def has(self, *keys: str) -> bool:
        """Return whether these keys can be read with a barrier."""
        try:
            return await self.keys() >= set(keys)
        except EngineError:
            return False


class TownPeers:
    """RPC of one machine: a request reaches the other one if both run and no cable is cut."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def find(self, name: str) -> Peer | None:
        return None

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        own = self._machine
        other = own.town.by_id(node_id)
        if not other.is_running or frozenset((own.name, other.name)) in own.town.cut:
            raise NotSent("no connection")
        received = Request(request.method, request.target, request.headers, request.body)
        if own.town.delays_invitation and request.target.endswith(b"/join"):
            own.town.delays_invitation = False
            own.town.delayed = partial(other.cluster.serve, received, Peer(own.node_id, own.name, "dc1", True))
            raise NotSent("no connection any more")
        return await other.cluster.serve(received, Peer(own.node_id, own.name, "dc1", True))


class Town:
    """The machines of a test.  cut: pairs of names without a connection; for gossip and RPC, not for relays.

    delays_invitation: the next invitation fails, but arrives when `delayed` is called.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: list[Machine] = []
        self.cut: set[frozenset[str]] = set()
        self.delays_invitation = False
        self.delayed: Callable[[], Awaitable[Response]] | None = None

    def machine(self, *, expect: int = 0, is_bootstrapped: bool = False) -> Machine:
        """Add a machine, which is not started yet."""
        settings = ClusterSettings(expect=expect, is_bootstrapped=is_bootstrapped, member=FAST)
        self.machines.append(Machine(self, len(self.machines) + 1, settings))
        return self.machines[-1]

    def by_id(self, node_id: str) -> Machine:
        return next(machine for machine in self.machines if machine.node_id == node_id)

    def gossip(self) -> None:
        """Let every running machine know which others run now."""
        for one in self.machines:
            for other in self.machines:
                if not one.is_running or other is one:
                    continue
                sees = other.is_running and frozenset((one.name, other.name)) not in self.cut
                if sees:
                    one.pool.put(other.member(), MemberEvent.UPDATE)
                elif other.name in one.pool.known:
                    one.pool.put(other.member(FAILED), MemberEvent.FAILED)

    @property
    def running(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.is_running]

    @property
    def leader(self) -> Machine | None:
        """The one machine that leads, if the others that run know it too."""
        leading = [machine for machine in self.running if machine.cluster.leadership.leads]
        known = {machine.cluster.leadership.leader for machine in self.running}
        return leading[0] if len(leading) == 1 and known == {leading[0].node_id} else None

    async def has_voters(self, *machines: Machine) -> bool:
        """Return whether these machines are the voters, and one of them leads."""
        if self.leader is None:
            return False
        try:
            found = await self.leader.cluster.roster.servers()
        except EngineError:
            return False
        return {server.node_id for server in found if server.is_voter} == {one.node_id for one in machines}

    async def founded(self, count: int = 3) -> tuple[Machine, list[Machine]]:
        """Return the leader of servers that have founded a cluster together, and all of them."""
        machines = [self.machine(expect=count) for _ in range(count)]
        for machine in machines:
            await machine.start()
        await eventually_async(self.cluster_of(*machines))
        leader = await eventually_async(lambda: self.leader)  # it may have changed meanwhile
        assert leader is not None
        return leader, machines

    def cluster_of(self, *machines: Machine):  # type: ignore[no-untyped-def]
        return partial(self.has_voters, *machines)


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """A town whose machines are stopped at the end."""
    found = Town(folder)
    try:
        yield found
    finally:
        for machine in found.machines:
            await machine.stop()
