"""Requests to agents of a cluster that others serve: writes at followers, everything at client agents."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from cluster.machine_agent import MachineAgent
from cluster.server_cluster import ServerCluster
from support.eventually import eventually

CLIENTS = 50


def index_of(agent: MachineAgent, path: str) -> str:
    headers: Any = agent.request("GET", path)[1]
    return str(headers["x-consul-index"])


def wait_for_news(agent: MachineAgent, path: str, index: str) -> bytes:
    status, _, body = agent.request("GET", f"{path}?raw&index={index}&wait=120s", timeout=150)
    assert status == 200, body
    return bytes(body)


def connections_to_servers(agent: MachineAgent) -> int:
    """Return how many RPC connections an agent has."""
    listed = agent.machine.run("ss", "-Htn", "state", "established", "dport", "=", ":8300")
    return len(listed.splitlines())


def test_every_agent_takes_writes_and_shows_them_to_every_other(servers: ServerCluster) -> None:
    for writer in servers.agents:
        assert writer.request("PUT", f"/v1/kv/from/{writer.name}", b"x")[0] == 200
        for reader in servers.agents:
            assert reader.request("GET", f"/v1/kv/from/{writer.name}")[0] == 200


def test_a_session_is_of_the_agent_that_created_it(servers: ServerCluster) -> None:
    for agent in servers.agents:
        status, _, body = agent.request("PUT", "/v1/session/create", b"{}")
        assert status == 200, body
        (session,) = servers.servers[0].get(f"/v1/session/info/{json.loads(body)['ID']}")
        assert session["Node"] == agent.name


def test_a_snapshot_passes_a_client_agent_and_a_follower(servers: ServerCluster) -> None:
    client, follower = servers.clients[0], servers.followers()[0]
    client.request("PUT", "/v1/kv/large", bytes(400_000))
    status, _, archive = client.request("GET", "/v1/snapshot")
    assert status == 200
    client.request("PUT", "/v1/kv/large", b"changed")
    for agent in (client, follower):
        status, _, body = agent.request("PUT", "/v1/snapshot", archive, timeout=60)
        assert status == 200, body
        assert client.request("GET", "/v1/kv/large?raw")[2] == bytes(400_000)


def test_clients_with_the_same_question_share_a_query_and_all_queries_a_connection(servers: ServerCluster) -> None:
    agent = servers.clients[0]
    agent.request("PUT", "/v1/kv/shared", b"1")
    index = index_of(agent, "/v1/kv/shared")
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(wait_for_news, agent, "/v1/kv/shared", index) for _ in range(CLIENTS)]
        assert connections_to_servers(agent) <= len(servers.servers)
        servers.servers[0].request("PUT", "/v1/kv/shared", b"2")
        assert {one.result(30) for one in waiting} == {b"2"}


def all_running(waiting: Sequence[Future[bytes]]) -> bool:
    return not any(one.done() for one in waiting)


@pytest.mark.slow
def test_queries_that_wait_notice_nothing_of_a_new_leader_and_no_read_fails(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    others = [agent for agent in servers.agents if agent is not leader]
    client = servers.clients[0]
    client.request("PUT", "/v1/kv/news", b"1")
    index = index_of(client, "/v1/kv/news")
    failed: list[object] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            status, _, body = client.request("GET", "/v1/kv/news?raw", timeout=30)
            if (status, body) != (200, b"1"):
                failed.append((status, body))

    with ThreadPoolExecutor(len(others) + 1) as pool:
        waiting = [pool.submit(wait_for_news, agent, "/v1/kv/news", index) for agent in others]
        reading = pool.submit(read)
        leader.power_off()
        eventually(partial(_writes, client), servers.logs)
        ended.set()
        reading.result(30)
        assert all_running(waiting)
        assert client.request("PUT", "/v1/kv/news", b"2")[0] == 200
        assert {one.result(30) for one in waiting} == {b"2"}
    assert not failed


@pytest.mark.slow
def test_without_a_quorum_requests_end_with_consuls_texts_and_stale_and_cached_reads_go_on(
    servers: ServerCluster,
) -> None:
    client = servers.clients[0]
    kept = "/v1/health/service/consul?cached"
    assert client.request("GET", kept)[0] == 200
    for server in servers.followers():
        server.power_off()
    leader = next(server for server in servers.servers if server.is_running)
    eventually(lambda: leader.request("GET", "/v1/status/leader")[2] == b'""', servers.logs)
    for agent in (leader, client):
        for method, path in (("GET", "/v1/kv/x"), ("PUT", "/v1/kv/x")):
            status, _, body = agent.request(method, path, b"x" if method == "PUT" else None, timeout=40)
            assert (status, body) == (500, b"No cluster leader"), (agent.name, method)
        assert agent.request("GET", "/v1/kv/whole/m1?stale")[0] == 200
    status, headers, _ = client.request("GET", kept)
    assert (status, headers["x-cache"]) == (200, "HIT")


def _writes(agent: MachineAgent) -> bool:
    return agent.request("PUT", "/v1/kv/again", b"x", timeout=30)[0] == 200
