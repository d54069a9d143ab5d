"""Three etcd members without a port, whose bytes go through relays over the RPC port of each server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from support.etcd import needs_etcd
from support.eventually import eventually_async
from support.processes import children, listening_ports

from pyconsul.agent.cluster.etcd.member import EtcdMember, MemberSettings
from pyconsul.agent.cluster.etcd.members import EtcdMembers
from pyconsul.agent.cluster.relay.handshake import Identity
from pyconsul.agent.cluster.relay.link import RelayLink
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import KV

pytestmark = needs_etcd
FAST = MemberSettings(heartbeat_interval_ms=30, election_timeout_ms=300)
KEYS = (b"k" * 32,)


class Machine:
    """The etcd parts of a server: a member, a relay, and the listener of its RPC port."""

    def __init__(self, folder: Path, cluster_id: str, keys: tuple[bytes, ...] = KEYS) -> None:
        self.identity = Identity(str(uuid.uuid4()), cluster_id, keys)
        self.member = EtcdMember(folder / self.identity.node_id, self.identity.node_id, cluster_id, FAST)
        self.link = RelayLink(self.member.folder)
        self.client = Client([self.member.endpoint])
        self.address = ("127.0.0.1", 0)
        self._accepting: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None

    async def start(self, members: list[Machine]) -> None:
        await self.listen()
        await self.link.start()
        await self.member.start([one.identity.node_id for one in members])

    async def listen(self) -> None:
        """Listen for other relays, at a new port when there was one."""
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            self._listener.close()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address = self._listener.getsockname()
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listener))

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            sock, peer = await asyncio.get_running_loop().sock_accept(listener)
            self.link.hand_over(sock, str(peer))

    def know(self, machines: list[Machine]) -> None:
        self.link.use(self.identity, {one.identity.node_id: one.address for one in machines if one is not self}, {}, {})

    async def stop(self) -> None:
        await self.client.close()
        await self.member.stop()
        await self.link.stop()
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            self._listener.close()


@asynccontextmanager
async def cluster_of_three(folder: Path) -> AsyncIterator[list[Machine]]:
    """One member that grows to three voters."""
    machines = [Machine(folder, "cluster-1") for _ in range(3)]
    try:
        first = machines[0]
        await first.start([first])
        await eventually_async(partial(has_voters, first.client, 1))
        members = EtcdMembers(first.client)
        for number in (1, 2):
            added, present = machines[number], machines[: number + 1]
            await added.listen()
            for machine in present:
                machine.know(present)
            learner = await members.add(added.identity.node_id)
            await added.start(present)
            for machine in present:
                machine.know(present)
            await eventually_async(partial(succeeds, partial(members.promote, learner)))
        yield machines
    finally:
        for machine in machines:
            await machine.stop()


async def has_voters(client: Client, count: int) -> bool:
    try:
        found = await EtcdMembers(client).list()
    except EngineError:
        return False
    return sum(not member.is_learner for member in found) == count


def put(index: int, key: str) -> Changeset:
    changeset = Changeset(index, 1.0)
    changeset.writes = [(KV, key, KVEntry(0, key, 0, b"v", index, index))]
    return changeset


async def test_three_members_share_what_is_written_without_a_port(tmp_path: Path) -> None:
    async with cluster_of_three(tmp_path) as machines:
        engines = [EtcdEngine(machine.client, "c", machine.identity.node_id) for machine in machines]
        for engine in engines:
            await engine.load()
        await engines[0].commit([put(1, "a")])
        assert [await engine.barrier() for engine in engines] == [1, 1, 1]
        members = children("strict-reconfig-check")
        assert len(members) == 3
        assert [listening_ports(pid) for pid in members] == [set(), set(), set()]


async def test_members_find_each_other_at_new_addresses(tmp_path: Path) -> None:
    async with cluster_of_three(tmp_path) as machines:
        engines = [EtcdEngine(machine.client, "c", machine.identity.node_id) for machine in machines]
        await engines[0].load()
        await engines[0].commit([put(1, "a")])
        for machine in machines:
            await machine.listen()
        for machine in machines:
            machine.know(machines)
        for pid in children("relay.process"):
            os.kill(pid, signal.SIGKILL)
        await eventually_async(partial(succeeds, engines[2].load))
        await eventually_async(partial(committed, engines[2], put(2, "b")))
        assert await engines[1].barrier() == 2


async def committed(engine: EtcdEngine, changeset: Changeset) -> bool:
    """Commit a changeset, unless it was made already."""
    try:
        if await engine.barrier() < changeset.index:
            await engine.commit([changeset])
    except EngineError:
        return False
    return True


async def succeeds(work: Callable[[], Awaitable[object]]) -> bool:
    try:
        await work()
    except EngineError:
        return False
    return True


async def test_a_relay_of_another_cluster_or_with_another_key_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "agent.relay")
    one = Machine(tmp_path, "cluster-1")
    others = [
        Machine(tmp_path, "cluster-2"),
        Machine(tmp_path, "cluster-1", (b"x" * 32,)),
        Machine(tmp_path, "cluster-1", ()),
    ]
    try:
        await one.listen()
        await one.link.start()
        one.know([])
        for other in others:
            await other.link.start()
            other.link.use(other.identity, {one.identity.node_id: one.address}, {}, {})
            reader = await eventually_async(partial(dial, other, one))
            assert await reader.read() == b""
        for text in ("belongs to cluster cluster-2", "does not know a gossip key"):
            await eventually_async(lambda text=text: text in caplog.text)
    finally:
        for machine in (one, *others):
            await machine.stop()


async def dial(machine: Machine, other: Machine) -> asyncio.StreamReader | None:
    path = machine.member.endpoint.removeprefix("unix:").replace("client", other.identity.node_id)
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return None
    writer.write(b"hello")
    return reader
