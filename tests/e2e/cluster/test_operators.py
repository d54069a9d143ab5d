"""Operators at three servers and a client agent: snapshots that are restored, commands at the client, a server that leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess
from support.etcd import needs_etcd
from support.eventually import eventually

pytestmark = [needs_etcd, pytest.mark.timeout(180), pytest.mark.single_server("its servers form a cluster themselves")]

FAST_GOSSIP = {"gossip_interval": "100ms", "probe_interval": "100ms", "probe_timeout": "100ms"}
NAMES = ("s1", "s2", "s3", "c1")


class Site:
    """The agents by name."""

    def __init__(self, folder: Path) -> None:
        self.agents: dict[str, AgentProcess] = {}
        for name in NAMES:
            self.agents[name] = self._agent(folder / name, name)

    def _agent(self, folder: Path, name: str) -> AgentProcess:
        folder.mkdir()
        joins = (
            {"bootstrap_expect": None, "retry_join": [f"127.0.0.1:{self.agents['s1'].lan_port}"]}
            if name != "s1"
            else {}
        )
        return AgentProcess(
            folder, folder / "data", node_name=name, server=name != "c1", gossip_lan=FAST_GOSSIP, retry_interval="200ms",
            performance={"raft_multiplier": 1, "leave_drain_time": "100ms"}, **joins,
        )  # fmt: skip

    def __getitem__(self, name: str) -> AgentProcess:
        return self.agents[name]

    def start(self) -> None:
        """Start all, and wait until every server has its vote."""
        for agent in self.agents.values():
            agent.launch()
        eventually(lambda: len(self.voters()) == 3, lambda: self["s1"].log()[-2000:])
        for agent in self.agents.values():
            eventually(lambda agent=agent: agent.request("GET", "/v1/snapshot")[0] == 200, agent.log)

    def voters(self) -> list[str]:
        status, _, body = self._ask("s1", "/v1/operator/raft/configuration")
        return [one["Node"] for one in json.loads(body)["Servers"] if one["Voter"]] if status == 200 else []

    def _ask(self, name: str, path: str) -> tuple[int, dict[str, str], bytes]:
        try:
            return self[name].request("GET", path)
        except OSError:
            return 0, {}, b""

    def run(self, *words: str, at: str = "c1") -> str:
        """Return the output of a command that succeeds."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CONSUL_")}
        command = [sys.executable, "-m", "pyconsul.cli.main", *words]
        done = subprocess.run(
            command, env={**environ, "CONSUL_HTTP_ADDR": self[at].address}, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("operators"))
    try:
        made.start()
        yield made
    finally:
        for agent in made.agents.values():
            if agent.process is not None and agent.process.poll() is None:
                agent.kill()


def waits_for_change(agent: AgentProcess, path: str) -> tuple[int, Callable[[], tuple[int, Any]]]:
    """Return the index of a read, and a function that waits until it is passed and returns the new index and value."""
    index = int(agent.request("GET", path)[1]["x-consul-index"])

    def wait() -> tuple[int, Any]:
        _, headers, body = agent.request("GET", f"{path}?index={index}&wait=60s", timeout=90)
        return int(headers["x-consul-index"]), json.loads(body)[0]["Value"]

    return index, wait


def test_a_restore_reaches_whoever_waits_at_any_agent(site: Site) -> None:
    site["c1"].put("/v1/kv/restored", b"before")
    status, _, archive = site["s2"].request("GET", "/v1/snapshot")
    assert status == 200
    site["s3"].put("/v1/kv/restored", b"after")
    site["s3"].put("/v1/kv/gone", b"after")
    with ThreadPoolExecutor(len(NAMES)) as pool:
        waiting: list[tuple[int, Future[tuple[int, Any]]]] = []
        for name in NAMES:
            index, wait = waits_for_change(site[name], "/v1/kv/restored")
            waiting.append((index, pool.submit(wait)))
        assert site["c1"].request("PUT", "/v1/snapshot", archive)[0] == 200
        for before, future in waiting:
            after, value = future.result(90)
            assert (value, after > before) == ("YmVmb3Jl", True)
    for name in NAMES:
        assert site[name].request("GET", "/v1/kv/gone")[0] == 404
        assert site[name].request("GET", "/v1/kv/restored?raw")[2] == b"before"
    damaged = archive[: len(archive) // 2]
    assert site["s3"].request("PUT", "/v1/snapshot", damaged)[0] == 500
    assert site["s3"].request("GET", "/v1/kv/restored?raw")[2] == b"before"


def test_commands_for_operators_work_at_a_client_agent(site: Site, tmp_path: Path) -> None:
    ids = {name: site[name].get("/v1/agent/self")["Config"]["NodeID"] for name in ("s1", "s2", "s3")}
    site.run("operator", "raft", "transfer-leader", f"-id={ids['s2']}")
    address = f"127.0.0.1:{site['s2'].rpc_port}"
    eventually(lambda: site["c1"].get("/v1/status/leader") == address)
    assert [line.split()[0] for line in site.run("operator", "raft", "list-peers").splitlines()[1:]] == [
        "s1",
        "s2",
        "s3",
    ]
    state = json.loads(site.run("operator", "autopilot", "state", "-format=json"))
    assert (state["Leader"], sorted(state["Voters"])) == (ids["s2"], sorted(ids.values()))
    site.run("operator", "autopilot", "set-config", "-min-quorum=3")
    assert site["s3"].get("/v1/operator/autopilot/configuration")["MinQuorum"] == 3
    site.run("snapshot", "save", "-stale", str(tmp_path / "a.snap"))
    assert site["c1"].get("/v1/agent/self")["Stats"]["consul"]["known_servers"] == "3"


def test_maintenance_and_reload_of_a_client_agent_are_its_own(site: Site) -> None:
    site.run("maint", "-enable", "-reason=disks")
    eventually(lambda: [one["Node"] for one in site["s1"].get("/v1/health/state/critical")] == ["c1"])
    site.run("maint", "-disable")
    assert "Configuration reload triggered" in site.run("reload")


def test_a_server_that_leaves_is_no_member_of_the_cluster(site: Site) -> None:
    assert site.run("leave", at="s3") == "Graceful leave complete\n"
    process = site["s3"].process
    assert process is not None
    assert process.wait(30) == 0
    eventually(lambda: site.voters() == ["s1", "s2"])
    assert site["c1"].put("/v1/kv/still", b"writable") is True
