"""A cluster whose servers change while clients write: it grows, is replaced, moves to new addresses, and is restored."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
from cluster.machine_agent import MachineAgent
from cluster.server_cluster import FORM_S, ServerCluster, running_servers
from cluster.verification import verify
from cluster.workload import load_on
from support.eventually import eventually


def voters(agent: MachineAgent) -> set[str]:
    configuration = agent.get("/v1/operator/raft/configuration")
    return {server["Node"] for server in configuration["Servers"] if server["Voter"]}


def move(agent: MachineAgent, address: str, join: list[str]) -> None:
    """Give an agent that does not run a new address."""
    agent.machine.set_address(address)
    agent.change_settings(bind_addr=address, retry_join=join)


@pytest.mark.slow  # all of them do so below
def test_a_server_moves_to_a_new_address(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    with load_on(servers.agents, seed=21) as load:
        leader.power_off()
        move(leader, f"10.77.0.{70 + int(leader.name[1:])}", [one.machine.address for one in servers.servers])
        leader.launch()
        load.wait_for_progress(100)
        servers.wait_until_whole()
    verify(servers, load)


class Names:
    """A file of host names in place of /etc/hosts, for agents that join the servers by the name `servers.test`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set(self, addresses: Iterable[str]) -> None:
        """Let the name stand for these addresses."""
        self._file.write_text("127.0.0.1 localhost\n" + "".join(f"{address} servers.test\n" for address in addresses))

    @property
    def launcher(self) -> tuple[str, ...]:
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'  # in a mount namespace that ends with the program
        return ("unshare", "--mount", "sh", "-c", script, str(self._file))

    def prepare(self, cluster: ServerCluster) -> None:
        self.set(server.machine.address for server in cluster.servers)
        cluster.clients = [
            cluster.client(number, retry_join=["servers.test"], launcher=self.launcher)
            for number in range(len(cluster.servers) + 1, len(cluster.agents) + 1)
        ]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    return Names(tmp_path_factory.mktemp("names") / "hosts")


@pytest.fixture(scope="module")
def running_server_cluster(tmp_path_factory: pytest.TempPathFactory, names: Names) -> Iterator[ServerCluster]:
    with running_servers(tmp_path_factory.mktemp("servers"), names.prepare) as cluster:
        yield cluster


@pytest.mark.parametrize(
    "orderly",
    [
        pytest.param(True, marks=pytest.mark.slow, id="after an orderly stop"),
        pytest.param(False, id="after a power cut"),
    ],
)
def test_all_servers_move_to_new_addresses(servers: ServerCluster, names: Names, orderly: bool) -> None:
    """Client agents that go on running find them again: what they join is a name that now stands for the new addresses."""
    first = 100 if orderly else 110
    addresses = [f"10.77.0.{first + number}" for number in range(1, 4)]
    with load_on(servers.agents, seed=22) as load:
        for server in servers.servers:
            server.stop() if orderly else server.power_off()
        for server, address in zip(servers.servers, addresses, strict=True):
            move(server, address, addresses)
            (server.folder / "data/serf/local.snapshot").unlink()  # they do not know the clients any more
        for server in servers.servers:
            server.launch()
        servers.wait_for_leader()
        names.set(addresses)
        load.use(servers.clients)
        load.wait_for_progress(100)
        load.use(servers.agents)
        servers.wait_until_whole()
    verify(servers, load)


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[ServerCluster]:
    """A single server m1 with two client agents; m2 and m3 do not run yet."""
    with running_servers(tmp_path, grows=True) as cluster:
        yield cluster


def test_a_single_server_grows_and_its_servers_are_replaced(growing: ServerCluster) -> None:
    first, second, third = growing.servers
    with load_on([first, *growing.clients], seed=23) as load:
        for server in (second, third):
            server.launch()
            eventually(partial(_votes, first, server), growing.logs, patience=FORM_S)
        load.use(growing.agents)
        load.wait_for_progress(100)
        newcomer = growing.server(6, bootstrap_expect=None)
        newcomer.launch()
        eventually(partial(_votes, second, newcomer), growing.logs, patience=FORM_S)
        load.use([second, third, newcomer, *growing.clients])
        first.put("/v1/agent/leave")
        assert first.process is not None
        first.process.wait(30)
        growing.servers[0] = newcomer
        load.wait_for_progress(100)
        growing.wait_until_whole()
    verify(growing, load)


def _votes(seen_by: MachineAgent, server: MachineAgent) -> bool:
    try:
        return server.name in voters(seen_by)
    except (OSError, RuntimeError):
        return False


@pytest.mark.slow
def test_a_copied_data_folder_does_not_take_part(servers: ServerCluster) -> None:
    """Started under another name, it has the node ID of a server that is alive; two members of one ID would vote twice."""
    original = servers.followers()[0]
    copy = servers.server(6)
    shutil.copytree(original.folder / "data", copy.folder / "data", ignore=shutil.ignore_patterns("*:1", "agent.lock"))
    with load_on(servers.agents, seed=25) as load:
        load.wait_for_progress(100)  # the copy is behind
        copy.launch()
        eventually(lambda: "conflicting node ID" in copy.log(), copy.log)
        load.wait_for_progress(300)
        servers.wait_until_whole()
        status, _, body = copy.request("PUT", "/v1/kv/copy", b"x")
        assert status == 500, body
        copy.kill()
    servers.wait_until_whole()
    verify(servers, load)
    assert "starting it again" not in original.log()
    assert "starting it again" not in copy.log()


def test_a_snapshot_is_restored_while_clients_write(servers: ServerCluster) -> None:
    """All servers show the restored state, all waiting clients are woken, and no index falls."""
    client = servers.clients[0]
    client.put("/v1/kv/restored/kept", b"kept")
    status, _, snapshot = client.request("GET", "/v1/snapshot")
    assert status == 200
    client.put("/v1/kv/restored/later", b"later")
    with load_on(servers.agents, seed=24) as load:
        status, _, body = client.request("PUT", "/v1/snapshot", snapshot)
        assert status == 200, body
        load.acknowledged.clear()  # those before are gone, as they must be
        load.wait_for_progress(100)
    for agent in servers.agents:
        assert agent.get("/v1/kv/restored/kept")[0]["Key"] == "restored/kept"
        assert agent.request("GET", "/v1/kv/restored/later")[0] == 404
    verify(servers, load, is_register=False)


def test_waiting_queries_of_all_agents_are_woken_by_a_restore(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    leader.put("/v1/kv/woken", b"before")
    _, _, snapshot = leader.request("GET", "/v1/snapshot")
    leader.put("/v1/kv/woken", b"after")
    answers = []
    for agent in servers.agents:
        _, headers, _ = agent.request("GET", "/v1/kv/woken")
        index = headers["x-consul-index"]
        answers.append((index, partial(agent.request, "GET", f"/v1/kv/woken?index={index}&wait=60s", timeout=70)))
    found: list[tuple[int, int, bytes]] = []

    def wait(index: str, ask: partial[tuple[int, dict[str, str], bytes]]) -> None:
        _, headers, body = ask()
        found.append((int(index), int(headers["x-consul-index"]), body))

    threads = [threading.Thread(target=wait, args=one, daemon=True) for one in answers]
    for thread in threads:
        thread.start()
    status, _, body = leader.request("PUT", "/v1/snapshot", snapshot)
    assert status == 200, body
    for thread in threads:
        thread.join(30)
    assert len(found) == len(servers.agents)
    for before, after, body in found:
        assert after > before
        assert json.loads(body)[0]["Value"] == "YmVmb3Jl"
