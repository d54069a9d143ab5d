"""Leaders of shared answers that die, freeze or fall silent: who notices, what is shown, and who takes over."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually
from support.ports import free_port

ROOT, FOLLOWER = "7b2f5e0c-0000-4000-8000-000000000001", "7b2f5e0c-0000-4000-8000-000000000002"
PREFIX = "consul-template/dedup"
#: The follower may follow: but neither lead nor end a session.
RULES = f'key_prefix "app/" {{ policy = "read" }}\nkey_prefix "{PREFIX}/" {{ policy = "read" }}'


class ScriptedLeader:
    """A leader in the test's hands: takes over what a real one has shared, and sends heartbeats when told to."""

    def __init__(self, agent: Any, key: str, value: bytes) -> None:
        self._agent = agent
        body = b'{"Behavior": "delete", "LockDelay": "0s"}'
        self.session = json.loads(agent.request("PUT", "/v1/session/create", body))["ID"]
        self._beats = 0
        assert self._put(key, value)

    def _put(self, key: str, value: bytes) -> bool:
        return bool(json.loads(self._agent.request("PUT", f"/v1/kv/{key}?acquire={self.session}", value)))

    def beat(self, interval_s: float, age_s: float = 0.0) -> None:
        self._beats += 1
        beat = {"Version": 1, "Host": "web1", "Interval": interval_s, "DataAge": age_s, "Time": str(self._beats)}
        assert self._put(f"{PREFIX}/leaders/{self.session}", json.dumps(beat).encode())


class Pages:
    """The status pages of a tool."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def degraded(self, path: str) -> list[str]:
        return list(json.loads(self.text(path))["degraded"])

    def dedup(self) -> dict[str, Any]:
        return dict(json.loads(self.text("/explain"))["templates"][0]["dedup"])


def leave_it_to_the_test(agent: Any, leader: Any) -> ScriptedLeader:
    """End a real leader and put a scripted one in its place, before anybody follows."""

    def shared() -> dict[str, Any]:
        found = json.loads(agent.request("GET", f"/v1/kv/{PREFIX}?keys"))
        key = next(key for key in found if key.endswith("/data"))
        return {"key": key, "value": agent.request("GET", f"/v1/kv/{key}?raw")}

    eventually(lambda: shared()["value"])
    taken = shared()
    leader.end()
    return ScriptedLeader(agent, **taken)


@pytest.fixture
def restricted(special_agent: Callable[..., Any]) -> Any:
    """An agent with a token for followers."""
    tokens = {"initial_management": ROOT}
    agent = special_agent(ROOT, acl={"enabled": True, "default_policy": "deny", "tokens": tokens})
    agent.put("app/v", "1")
    agent.request("PUT", "/v1/acl/policy", json.dumps({"Name": "p", "Rules": RULES}).encode())
    agent.request("PUT", "/v1/acl/token", json.dumps({"SecretID": FOLLOWER, "Policies": [{"Name": "p"}]}).encode())
    return agent


def test_a_follower_shows_and_logs_its_leaders_silence(restricted: Any, template: Any) -> None:
    flags = ("-dedup", "-log-level", "info", "-template", "in.j2:out")
    real = template(restricted, *flags, "-consul-token", ROOT, in_j2="{{ key('app/v') }}")
    real.shows("out", "1")
    leader, pages = leave_it_to_the_test(restricted, real), Pages()
    follower = template(restricted, *flags, "-consul-token", FOLLOWER, "-http-addr-status", pages.address)
    eventually(lambda: follower.said("follows"))
    assert pages.dedup()["leader_silence"] is None, "a leader that sends no heartbeats is an older one"

    leader.beat(0.3, age_s=3000.0)
    eventually(lambda: follower.said("no sign of life from the leader web1"))
    eventually(lambda: follower.said("cannot end the session of the silent leader web1"))
    told = "leader web1 silent for 0s; its data stay in use"
    for path in ("/ready", "/health"):
        (line,) = pages.degraded(path)
        assert line.split(" silent for ")[0] == told.split(" silent for ")[0]
    shown = pages.dedup()
    assert (shown["role"], shown["leader"], shown["leader_silent"]) == ("follower", "web1", True)
    assert shown["data_age"] >= 3000.0 + shown["leader_silence"] - 0.1
    assert "leader silent: last sign of life" in pages.text("/explain?format=text")
    assert "leader web1 silent for" in pages.text("/")
    assert 'pyconsul_template_dedup_leader_silent{destination="out"} 1.0' in pages.text("/metrics")

    leader.beat(1000.0)
    eventually(lambda: follower.said("the leader web1 is alive again after"))
    assert pages.degraded("/ready") == pages.degraded("/health") == []
    assert not pages.dedup()["leader_silent"]
    assert follower.stderr.count("no sign of life") == 1


def test_a_follower_that_finds_its_leader_silent_takes_over(own_agent: Any, template: Any) -> None:
    flags = ("-dedup", "-log-level", "info", "-template", "in.j2:out")
    own_agent.put("app/v", "1")
    real = template(own_agent, *flags, in_j2="{{ key('app/v') }}")
    real.shows("out", "1")
    leader = leave_it_to_the_test(own_agent, real)
    leader.beat(1000.0)
    follower = template(own_agent, *flags)
    eventually(lambda: follower.said("follows"))
    own_agent.put("app/v", "2")
    leader.beat(0.3)
    follower.shows("out", "2")
    assert follower.said(f"ending the session of the silent leader web1: {leader.session}")
    assert follower.said("leads")
    assert json.loads(own_agent.request("GET", f"/v1/session/info/{leader.session}")) == []


def test_leaders_that_die_or_freeze_are_followed_by_others(own_agent: Any, template: Any, tmp_path: Path) -> None:
    """Consul would end their sessions after 20 s; their followers do it after 10 s without a heartbeat."""
    own_agent.put("v", "1")
    tools: dict[str, Any] = {}
    for fate in ("dies", "freezes"):
        (tmp_path / f"{fate}.j2").write_text(f"{fate} {{{{ key('v') }}}}")
        for role in ("leads", "follows"):
            name = f"{fate}-{role}"
            lines = ['log_level = "info"', 'deduplicate { enabled = true  ttl = "10s" }']
            block = f'template {{ source = "{fate}.j2"  destination = "{name}.out" }}'
            (tmp_path / f"{name}.hcl").write_text("\n".join([*lines, block]))
            tools[name] = template(own_agent, "-config", f"{name}.hcl")
            eventually(lambda name=name, role=role: tools[name].said(role))
            tools[name].shows(f"{name}.out", f"{fate} 1")
    frozen = tools["freezes-leads"]
    try:
        tools["dies-leads"].process.kill()
        frozen.process.send_signal(signal.SIGSTOP)
        own_agent.put("v", "2")
        for fate in ("dies", "freezes"):
            name = f"{fate}-follows"
            tools[name].shows(f"{name}.out", f"{fate} 2")
            assert tools[name].said("no sign of life from the leader")
            assert tools[name].said("leads: ")
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    eventually(lambda: frozen.said("follows"))
    frozen.shows("freezes-leads.out", "freezes 2")
    own_agent.put("v", "3")
    for name in ("dies-follows", "freezes-follows", "freezes-leads"):
        tools[name].shows(f"{name}.out", f"{name.split('-')[0]} 3")
