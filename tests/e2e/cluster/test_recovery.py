"""Real servers that lose their majority: one goes on by `pyconsul operator recover`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import PROGRAM, AgentProcess
from support.etcd import needs_etcd
from support.eventually import eventually

pytestmark = [needs_etcd, pytest.mark.single_server("its servers form a cluster themselves")]

RECOVERY = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c02"


@contextmanager
def servers(folder: Path, *names: str, **settings: Any) -> Iterator[list[AgentProcess]]:
    """Servers of one cluster, which ends with the block."""
    agents: list[AgentProcess] = []
    for name in names:
        (folder / name).mkdir()
        agents.append(
            AgentProcess(
                folder / name,
                folder / name / "data",
                node_name=name,
                bootstrap_expect=len(names),
                retry_join=[f"127.0.0.1:{agent.lan_port}" for agent in agents],
                retry_interval="1s",
                performance={"raft_multiplier": 1},
                **settings,
            )
        )
    try:
        for agent in agents:
            agent.launch()
        for agent in agents:
            agent.wait_until_ready()
            eventually(lambda agent=agent: len(agent.get("/v1/status/peers")) == len(names))  # all have a vote
        yield agents
    finally:
        for agent in agents:
            agent.kill()


def recover(agent: AgentProcess, answer: bytes, token: str = "") -> subprocess.CompletedProcess[bytes]:
    argv = [*PROGRAM, "operator", "recover", f"-http-addr={agent.address}"]
    environ = {**os.environ, "CONSUL_HTTP_TOKEN": token}
    return subprocess.run(argv, input=answer, capture_output=True, check=False, timeout=60, env=environ)


def lose_disk(agent: AgentProcess) -> None:
    agent.kill()
    shutil.rmtree(agent.folder / "data")


def test_the_survivor_goes_on_after_one_question(tmp_path: Path) -> None:
    with servers(tmp_path, "s1", "s2") as (first, second):
        eventually(lambda: first.request("PUT", "/v1/kv/a", b"v")[0] == 200)
        eventually(lambda: second.request("GET", "/v1/kv/a")[0] == 200)
        assert b"nothing to recover" in recover(first, b"").stderr
        lose_disk(second)
        eventually(
            lambda: b"s1 " in (declined := recover(first, b"no\n")).stdout and b"nothing was changed" in declined.stderr
        )
        done = recover(first, b"yes\n")
        assert b"s1 goes on alone from index" in done.stdout, done
        eventually(lambda: first.request("GET", "/v1/kv/a")[0] == 200)
        second.start()
        eventually(lambda: second.request("GET", "/v1/kv/a?raw")[2] == b"v")


def test_tokens_go_on_working_and_nobody_can_bootstrap_again(tmp_path: Path) -> None:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"agent_recovery": RECOVERY}}

    def ask(agent: AgentProcess, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, bytes]:
        status, _, text = agent.request(method, path, body, {"X-Consul-Token": token})
        return status, text

    with servers(tmp_path, "s1", "s2", acl=acl) as (first, second):
        status, bootstrapped = eventually(lambda: (made := ask(first, "PUT", "/v1/acl/bootstrap"))[0] == 200 and made)
        root = json.loads(bootstrapped)["SecretID"]
        policy = {"Name": "app", "Rules": 'key_prefix "app/" { policy = "write" }'}
        assert ask(first, "PUT", "/v1/acl/policy", root, policy)[0] == 200
        status, made = ask(first, "PUT", "/v1/acl/token", root, {"Policies": [{"Name": "app"}]})
        app = json.loads(made)["SecretID"]
        assert ask(second, "PUT", "/v1/kv/app/a", app, b"v") == (200, b"true")
        lose_disk(second)
        assert b"Permission denied" in recover(first, b"yes\n").stderr
        eventually(lambda: b"goes on alone from index" in recover(first, b"yes\n", RECOVERY).stdout)
        eventually(lambda: ask(first, "GET", "/v1/kv/app/a?raw", app) == (200, b"v"))
        second.start()
        for agent in (first, second):
            eventually(lambda agent=agent: ask(agent, "GET", "/v1/kv/app/a?raw", app) == (200, b"v"))
            assert ask(agent, "PUT", "/v1/kv/app/a", app, b"v") == (200, b"true")
            assert ask(agent, "PUT", "/v1/kv/other", app, b"v")[0] == 403
            assert ask(agent, "GET", "/v1/kv/app/a")[0] == 403
            assert ask(agent, "GET", "/v1/acl/tokens", root)[0] == 200
            status, refusal = ask(agent, "PUT", "/v1/acl/bootstrap")
            assert (status, b"no longer allowed" in refusal) == (403, True), refusal


def peers(agent: AgentProcess) -> list[str]:
    """The names of the members of the cluster, as one server knows them."""
    status, _, text = agent.request("GET", "/v1/operator/raft/configuration")
    return sorted(server["Node"] for server in json.loads(text)["Servers"]) if status == 200 else []


def test_a_majority_that_comes_back_after_the_recovery_joins_the_new_cluster(tmp_path: Path) -> None:
    with servers(tmp_path, "s1", "s2", "s3") as (first, *others):
        eventually(lambda: peers(first) == ["s1", "s2", "s3"])
        eventually(lambda: first.request("PUT", "/v1/kv/a", b"before")[0] == 200)
        for agent in others:
            agent.kill()
        declined = eventually(lambda: (done := recover(first, b"no\n")).stdout and done)
        assert re.search(rb"^s2 +\S+ +- +- +\S", declined.stdout, re.M), declined
        assert b"s1 goes on alone from index" in recover(first, b"yes\n").stdout
        eventually(lambda: first.request("PUT", "/v1/kv/a", b"after")[0] == 200)
        for agent in others:
            agent.launch()
        for agent in others:
            agent.wait_until_ready()
        for agent in (first, *others):
            eventually(lambda agent=agent: peers(agent) == ["s1", "s2", "s3"])
            eventually(lambda agent=agent: agent.request("GET", "/v1/kv/a?raw")[2] == b"after")
