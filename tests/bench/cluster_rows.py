"""A cluster of three servers on this machine: how long it is without a leader, and what it answers.

The reference of a rate is a single server of the same run; that of a time is the aim.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import select
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from aetcd import rpc
from support.agent_process import AgentProcess
from support.local_cluster import LocalCluster, local_cluster, power_off

from bench import load
from bench.rows import Row, register_web, row
from bench.scale import megabytes
from pyconsul.agent.engine.etcd.client import Client

FAILOVERS, RESTARTS = 10, 3
PAUSE_S = 0.01
ASLEEP_S = 1.0  # until all clients certainly wait
PUT = """
wrk.method = "PUT"
wrk.body = "some value"
local n = 0
request = function() n = n + 1; return wrk.format(nil, "/v1/kv/bench/" .. (n % 1000)) end
"""


class Prober:
    """Sends one request again and again; keeps when it succeeded, and how often it failed."""

    def __init__(self, agent: AgentProcess, method: str, path: str) -> None:
        self._agent, self._method, self._path = agent, method, path
        self.successes: list[float] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                status, _, body = self._agent.request(self._method, self._path, b"x" if self._method == "PUT" else None)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(str(error))
                continue
            if status == 200:
                self.successes.append(time.monotonic())
            else:
                self.failures.append(f"{status} {body[:80]!r}")

    def longest_pause(self, since: float) -> float:
        """Return the longest time without a success."""
        moments = [since, *(moment for moment in self.successes if moment > since)]
        return max((later - one for one, later in itertools.pairwise(moments)), default=0.0)


def cluster_failover() -> Iterator[Row]:
    """The leader with its etcd and relay is killed; writes and reads go through a client agent."""
    with local_cluster(clients=1) as cluster:
        client = cluster.clients[0]
        writes, reads = [], []
        for _ in range(FAILOVERS):
            leader = cluster.wait_for_leader()
            with Prober(client, "PUT", "/v1/kv/bench/w") as writer, Prober(client, "GET", "/v1/kv/whole/c1") as reader:
                time.sleep(ASLEEP_S)
                killed = time.monotonic()
                power_off(leader)
                _wait_for(writer, killed)
                _wait_for(reader, killed)
            writes.append(writer.longest_pause(killed))
            reads.append(reader.longest_pause(killed))
            leader.launch()
            cluster.wait_until_whole()
        name = f"leader killed, median of {FAILOVERS}:"
        yield row(f"{name} pause of writes (aim 2 s)", statistics.median(writes) * 1000, 2000, "ms", 0, inverse=True)
        yield row(
            f"{name} pause of default reads (aim 2 s)", statistics.median(reads) * 1000, 2000, "ms", 0, inverse=True
        )
        yield row("... the longest of them, writes", max(writes) * 1000, 2000, "ms", 0, inverse=True)


def _wait_for(prober: Prober, since: float, seconds: float = 30.0) -> None:
    """Wait until several requests have succeeded after a moment."""
    until = time.monotonic() + seconds
    while sum(moment > since + 0.5 for moment in prober.successes) < 20 and time.monotonic() < until:
        time.sleep(PAUSE_S)


def cluster_writes() -> Iterator[Row]:
    """One connection is bound by the commit of etcd: the reference is that of bare etcd, through the same relays."""
    with local_cluster(clients=1) as cluster:
        leader = cluster.wait_for_leader()
        many = load.wrk(f"http://{leader.address}/", 32, PUT)
        through = load.wrk(f"http://{cluster.clients[0].address}/", 32, PUT)
        one = load.wrk(f"http://{leader.address}/", 1, PUT)
        bare = asyncio.run(_bare_commits(leader))
    with _single_server() as alone:
        reference = load.wrk(f"http://{alone.address}/", 32, PUT)
    yield row("writes at the leader, 32 clients (aim 8,500)", many, reference, "req/s", 0)
    yield row("writes through a client agent, 32 clients (aim 5,000)", through, reference, "req/s", 0)
    yield row("writes at the leader, 1 client (aim 500)", one, bare, "req/s", 0)


async def _bare_commits(leader: AgentProcess, seconds: float = load.SECONDS) -> float:
    """Return the puts a second of one client at the etcd of the leader."""
    (folder,) = leader.folder.glob("data/**/client:1")
    client = Client([f"unix:{folder}"])
    put = rpc.PutRequest(key=b"bench/bare", value=b"some value")
    try:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            await client.write(rpc.TxnRequest(success=[rpc.RequestOp(request_put=put)]))
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        await client.close()


@contextlib.contextmanager
def _single_server() -> Iterator[AgentProcess]:
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        agent = AgentProcess(Path(folder), Path(folder, "data"), limits={"http_max_conns_per_client": 0}).start()
        try:
            yield agent
        finally:
            agent.stop()


def cluster_reads() -> Iterator[Row]:
    """Reads at a follower; the reference is a single server."""
    with _single_server() as alone:
        alone.put("/v1/kv/bench", b"x" * 10)
        reference = load.wrk(f"http://{alone.address}/v1/kv/bench")
    with local_cluster() as cluster:
        leader = cluster.wait_for_leader()
        follower = next(server for server in cluster.servers if server is not leader)
        leader.put("/v1/kv/bench", b"x" * 10)
        for mode, query, aim in (
            ("default", "", "20,000"),
            ("stale", "?stale", "as alone"),
            ("consistent", "?consistent", "10,000"),
        ):
            measured = load.wrk(f"http://{follower.address}/v1/kv/bench{query}")
            yield row(f"{mode} reads at a follower, 32 clients (aim {aim})", measured, reference, "req/s", 0)


def cluster_dns() -> Iterator[Row]:
    """DNS at a client agent, for a service that it holds, and at a follower; the reference is a single server."""
    questions = {rdtype: [f"web.service.consul {rdtype}"] for rdtype in ("SRV", "A")}
    with _single_server() as alone:
        register_web(alone)
        references = {rdtype: load.dnsperf(alone.dns_port, asked) for rdtype, asked in questions.items()}
    with local_cluster(clients=1) as cluster:
        leader = cluster.wait_for_leader()
        register_web(leader)
        follower = next(server for server in cluster.servers if server is not leader)
        for name, agent in (("client agent", cluster.clients[0]), ("follower", follower)):
            for rdtype, asked in questions.items():
                load.dnsperf(agent.dns_port, asked, once=True)  # held from now on
                measured = load.dnsperf(agent.dns_port, asked)
                yield row(f"DNS {rdtype} at a {name}, 50 instances", measured, references[rdtype], "q/s", 0)


def cluster_wake() -> Iterator[Row]:
    """1,000 blocking queries at three servers and two client agents, woken by one write."""
    with local_cluster(clients=2) as cluster:
        took = min(_wake(cluster, 1000) for _ in range(3))
        yield row("1,000 blocking queries of 5 agents woken (aim 100 ms)", took * 1000, 100, "ms", 0, inverse=True)


def _wake(cluster: LocalCluster, count: int) -> float:
    writer = cluster.wait_for_leader()
    writer.put("/v1/kv/watched", b"0")
    index = writer.get("/v1/kv/watched")[0]["ModifyIndex"]
    request = f"GET /v1/kv/watched?index={index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with ExitStack() as stack:
        poller, clients = stack.enter_context(select.epoll()), {}
        for agent in cluster.agents:
            for _ in range(count // len(cluster.agents)):
                client = stack.enter_context(socket.create_connection(("127.0.0.1", agent.http_port)))
                client.sendall(request)
                clients[client.fileno()] = client
                poller.register(client, select.EPOLLIN)
        time.sleep(ASLEEP_S)
        started = time.perf_counter()
        writer.put("/v1/kv/watched", b"1")
        missing = set(clients)
        while missing:
            for descriptor, _ in poller.poll():
                answer = clients[descriptor].recv(65536)
                assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
                missing.discard(descriptor)
        return time.perf_counter() - started


def cluster_restart() -> Iterator[Row]:
    """Each server in turn is stopped in order and started again; clients read and write through a client agent."""
    with local_cluster(clients=1) as cluster:
        client, failures, requests = cluster.clients[0], 0, 0
        with Prober(client, "PUT", "/v1/kv/bench/w") as writer, Prober(client, "GET", "/v1/kv/whole/c1") as reader:
            for server in cluster.servers:
                server.stop()
                server.launch()
                cluster.wait_until_whole()
            failures = len(writer.failures) + len(reader.failures)
            requests = len(writer.successes) + len(reader.successes)
        yield row("orderly restarts, failed requests (aim 0) of all", failures, requests, "requests", 0.006)


def cluster_memory() -> Iterator[Row]:
    """50 services and 1,000 keys; without etcd."""
    with local_cluster(clients=1) as cluster:
        leader = cluster.wait_for_leader()
        register_web(leader)
        for number in range(1000):
            leader.put(f"/v1/kv/bench/{number}", b"some value")
        client = cluster.clients[0]
        client.get("/v1/health/service/web?passing")
        yield row("memory of a server (aim 100 MB)", max(map(megabytes, cluster.servers)), 100, "MB", 0, inverse=True)
        yield row("memory of a client agent (aim 60 MB)", megabytes(client), 60, "MB", 0, inverse=True)


CLUSTER = (
    cluster_failover,
    cluster_writes,
    cluster_reads,
    cluster_dns,
    cluster_wake,
    cluster_restart,
    cluster_memory,
)
