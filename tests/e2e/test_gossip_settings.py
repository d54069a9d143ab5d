"""Effects of the gossip settings when agents start, join each other and end."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, StartAgent
from support.eventually import eventually
from support.ports import free_port

pytestmark = pytest.mark.single_server("its agents join each other")

KEYS = ("pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=", "6f5eQYoYw2pSI5gEwDAPZz6kAnDAnkP8wIsVqGhKSQA=")


@pytest.fixture
def first(start_agent: StartAgent) -> AgentProcess:
    return start_agent()


def exits(agent: AgentProcess) -> str:
    """Start an agent that must give up; its log."""
    with pytest.raises(RuntimeError, match="did not start"):
        agent.start()
    assert agent.process is not None
    assert agent.process.wait(30) == 1
    return agent.log()


def has_joined(agent: AgentProcess, name: str) -> bool:
    return f"member joined: pool=lan member={name} " in agent.log()


def test_a_taken_port_is_named_as_consul_names_it(first: AgentProcess, tmp_path: Path) -> None:
    ports = {"http": free_port(), "dns": -1, "server": -1, "serf_lan": first.lan_port, "serf_wan": -1}
    (tmp_path / "other").mkdir()
    log = exits(AgentProcess(tmp_path / "other", node_name="n2", ports=ports))
    assert f"listen tcp 127.0.0.1:{first.lan_port}: bind: address already in use" in log
    assert "-serf-lan-port" in log


def test_an_agent_joins_by_host_name_and_leaves_on_its_signal(first: AgentProcess, start_agent: StartAgent) -> None:
    other = start_agent(
        node_name="n2", retry_join=[f"localhost:{first.lan_port}"], leave_on_terminate=True, retry_interval="200ms"
    )
    eventually(lambda: has_joined(first, "n2") and has_joined(other, "n1"), other.log)
    assert other.stop() == 0
    assert "Gracefully shutting down agent..." in other.log()
    eventually(lambda: "member left: pool=lan member=n2 " in first.log(), first.log)


def test_a_request_to_leave_ends_the_agent_as_left(first: AgentProcess, start_agent: StartAgent) -> None:
    other = start_agent(node_name="n2", retry_join=[f"127.0.0.1:{first.lan_port}"])
    eventually(lambda: has_joined(first, "n2"), other.log)
    other.put("/v1/agent/leave")
    assert other.process is not None
    assert other.process.wait(30) == 0
    eventually(lambda: "member left: pool=lan member=n2 " in first.log(), first.log)


def test_a_server_that_is_stopped_does_not_leave(first: AgentProcess, start_agent: StartAgent) -> None:
    other = start_agent(node_name="n2", retry_join=[f"127.0.0.1:{first.lan_port}"])
    eventually(lambda: has_joined(first, "n2"), other.log)
    assert other.stop() == 1
    eventually(lambda: "member failed: pool=lan member=n2 " in first.log(), first.log)
    assert "member left: " not in first.log()


def test_the_first_join_is_tried_again_until_the_other_agent_is_there(start_agent: StartAgent, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    later = AgentProcess(tmp_path / "later", node_name="n2")
    agent = start_agent(retry_join=[f"127.0.0.1:{later.lan_port}"], retry_interval="100ms")
    agent.wait_for_log("Join cluster failed, will retry: retry_interval=100ms")
    try:
        later.start()
        agent.wait_for_log("Join cluster completed. Synced with initial agents: num_agents=1")
    finally:
        later.stop()


def test_too_many_failures_to_join_end_the_agent(tmp_path: Path) -> None:
    settings = {"retry_join": [f"127.0.0.1:{free_port()}"], "retry_interval": "10ms", "retry_max": 2}
    agent = AgentProcess(tmp_path, **settings).start()
    assert agent.process is not None
    assert agent.process.wait(30) == 1
    assert 'Retry join failed: error="agent: max join retry exhausted, exiting"' in agent.log()
    assert agent.log().count("Join cluster failed") == 1  # the same reason is written once a minute


def test_cloud_auto_join_is_refused(tmp_path: Path) -> None:
    log = exits(AgentProcess(tmp_path, retry_join=["provider=aws tag_key=x secret_access_key=hush"]))
    assert "==> retry_join: cloud auto-join (provider=aws) is not supported; allowed: IP addresses" in log
    assert "hush" not in log


def test_the_keyring_is_kept_and_takes_precedence(start_agent: StartAgent) -> None:
    agent = start_agent(durable=True, encrypt=KEYS[0])
    keyring = agent.folder / "data/serf/local.keyring"
    assert json.loads(keyring.read_text()) == [KEYS[0]]
    assert keyring.stat().st_mode & 0o777 == 0o600
    assert agent.stop() == 1
    assert "takes precedence" not in agent.log()
    agent.config_file.write_text(json.dumps({**json.loads(agent.config_file.read_text()), "encrypt": KEYS[1]}))
    agent.start()
    assert json.loads(keyring.read_text()) == [KEYS[0]]
    assert "the keyring file takes precedence over the configured gossip key" in agent.log()
    assert not any(key in agent.log() for key in KEYS)


def test_a_second_signal_ends_a_leave(first: AgentProcess, start_agent: StartAgent) -> None:
    other = start_agent(node_name="n2", retry_join=[f"127.0.0.1:{first.lan_port}"], leave_on_terminate=True)
    eventually(lambda: has_joined(first, "n2"), other.log)
    assert other.process is not None
    other.process.send_signal(signal.SIGTERM)
    other.wait_for_log("Gracefully shutting down agent...")
    other.process.send_signal(signal.SIGTERM)
    assert other.process.wait(30) == 1
    assert "Caught second signal" in other.log()


def test_an_agent_from_another_network_is_not_admitted(start_agent: StartAgent) -> None:
    guarded = start_agent(serf_lan_allowed_cidrs=["127.0.0.1/32"])
    start_agent(node_name="n2", bind_addr="127.0.0.2", retry_join=[f"127.0.0.1:{guarded.lan_port}"])
    guarded.wait_for_log("Member 'n2' has an address outside the allowed networks: 127.0.0.2")
    assert [member["Name"] for member in guarded.get("/v1/agent/members")] == ["n1"]
    friend = start_agent(node_name="n3", retry_join=[f"127.0.0.1:{guarded.lan_port}"])
    friend.wait_for_log("Join cluster completed")
    assert sorted(member["Name"] for member in guarded.get("/v1/agent/members")) == ["n1", "n3"]


def test_unencrypted_gossip_is_refused_until_the_settings_allow_it(start_agent: StartAgent) -> None:
    strict = start_agent(encrypt=KEYS[0])
    plain = start_agent(node_name="n2", retry_join=[f"127.0.0.1:{strict.lan_port}"], retry_interval="100ms")
    plain.wait_for_log("Join cluster failed, will retry")
    lenient = start_agent(node_name="n3", encrypt=KEYS[0], encrypt_verify_incoming=False, encrypt_verify_outgoing=False)
    plain.put(f"/v1/agent/join/127.0.0.1:{lenient.lan_port}")
    eventually(lambda: has_joined(lenient, "n2") and has_joined(plain, "n3"), plain.log)
    assert [member["Name"] for member in strict.get("/v1/agent/members")] == ["n1"]
