"""A server that joins gets its vote after `server_stabilization_time`, and is of use before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess
from support.etcd import needs_etcd
from support.eventually import eventually

pytestmark = [needs_etcd, pytest.mark.timeout(120), pytest.mark.single_server("its servers form a cluster themselves")]

TOKEN = "6f1c2f5c-54c4-4f4e-8f4a-1d1f0d7d1b11"
WITH_TOKEN = {"X-Consul-Token": TOKEN}
ACL = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": TOKEN, "agent": TOKEN, "dns": TOKEN}}


def ask(agent: AgentProcess, path: str, body: Any = None) -> Any:
    """Return the JSON of a GET, or of a PUT with a body."""
    status, _, found = agent.request("GET" if body is None else "PUT", path, body, WITH_TOKEN)
    assert status == 200, found
    return json.loads(found) if found else None


def votes(agent: AgentProcess) -> dict[str, bool]:
    """Return the servers, and whether each has a vote."""
    return {server["Node"]: server["Voter"] for server in ask(agent, "/v1/operator/raft/configuration")["Servers"]}


def dig(agent: AgentProcess, name: str) -> str:
    """Return the address of a name."""
    argv = ["dig", "@127.0.0.1", "-p", str(agent.dns_port), "+short", "+tries=1", name]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def test_a_new_server_waits_for_its_vote_and_answers_meanwhile(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("s1", "s2")]
    for folder in folders:
        folder.mkdir()
    first = AgentProcess(
        folders[0], folders[0] / "data", node_name="s1", acl=ACL, autopilot={"server_stabilization_time": "1h"}
    )
    second = AgentProcess(
        folders[1], folders[1] / "data", node_name="s2", acl=ACL, bootstrap_expect=None, retry_interval="1s",
        retry_join=[f"127.0.0.1:{first.lan_port}"],
    )  # fmt: skip
    try:
        first.start()
        second.start()
        eventually(lambda: votes(first) == {"s1": True, "s2": False}, patience=60)
        assert ask(second, "/v1/kv/a", b"1") is True
        assert [ask(second, f"/v1/kv/a{query}")[0]["Value"] for query in ("", "?stale", "?consistent")] == ["MQ=="] * 3
        assert ask(second, "/v1/status/leader") == ask(first, "/v1/status/leader") != ""
        assert second.request("GET", "/v1/snapshot", None, WITH_TOKEN)[0] == 200
        assert dig(second, "s1.node.consul") == "127.0.0.1"
        eventually(lambda: first.request("GET", "/v1/operator/autopilot/health", None, WITH_TOKEN)[0] == 200)
        health = ask(first, "/v1/operator/autopilot/health")["Servers"]
        assert {server["Name"]: server["Voter"] for server in health} == {"s1": True, "s2": False}
        assert second.request("GET", "/v1/agent/services")[2] == b"{}"  # without a token nothing is shown
        assert ask(second, "/v1/agent/service/register", {"Name": "web"}) is None
        assert list(ask(second, "/v1/agent/services")) == ["web"]
        eventually(lambda: ask(first, "/v1/catalog/service/web"))
        assert dig(second, "web.service.consul") == "127.0.0.1"

        settings = {**ask(first, "/v1/operator/autopilot/configuration"), "ServerStabilizationTime": "0s"}
        assert ask(second, "/v1/operator/autopilot/configuration", settings) is True
        eventually(lambda: votes(first) == {"s1": True, "s2": True}, patience=60)
        assert ask(second, "/v1/kv/a?consistent")[0]["Value"] == "MQ=="
        assert dig(second, "web.service.consul") == "127.0.0.1"
    finally:
        second.stop()
        first.stop()
