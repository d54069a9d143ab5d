"""Instances that share the answers to one template: who asks, who is told, and what happens when the leader goes."""

from __future__ import annotations

import base64
import json
import signal
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually

ROOT, READER = "7b2f5e0c-0000-4000-8000-000000000001", "7b2f5e0c-0000-4000-8000-000000000002"
PREFIX = "consul-template/dedup"
SHARED = "{{ key(NAME ~ '/v') }} {{ key_or_default(NAME ~ '/own/' ~ env('MACHINE'), '-') }}"


class Fleet:
    """Machines with the same template, whose text names the test's own keys."""

    def __init__(self, agent: Any, start: Callable[..., Any], folder: Path, name: str) -> None:
        self.agent, self.name, self._start = agent, name, start
        self.tools: dict[str, Any] = {}
        text = SHARED.replace("NAME", repr(name))
        (folder / "in.j2").write_text(text)

    def run(self, machine: str, *flags: str) -> Any:
        tool = self._start(self.agent, "-log-level", "info", *flags, environ={"MACHINE": machine})
        self.tools[machine] = tool
        return tool

    def start(self, machine: str, *, says: str) -> None:
        tool = self.run(machine, "-dedup", "-template", f"in.j2:{machine}.out")
        eventually(lambda: tool.said(says))

    def put(self, key: str, value: str) -> None:
        self.agent.request("PUT", f"/v1/kv/{self.name}/{key}", value.encode())

    def shows(self, machine: str, text: str) -> None:
        self.tools[machine].shows(f"{machine}.out", text)

    def keys(self) -> list[dict[str, Any]]:
        try:
            found = json.loads(self.agent.request("GET", f"/v1/kv/{PREFIX}?recurse"))
        except urllib.error.HTTPError:
            return []
        return [dict(entry) for entry in found]

    def shared(self) -> list[dict[str, Any]]:
        """The keys with answers."""
        return [key for key in self.keys() if key["Key"].endswith("/data")]

    def session(self) -> str:
        (key,) = self.shared()
        return str(key.get("Session", ""))


@pytest.fixture
def fleet(own_agent: Any, template: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Fleet:
    made = Fleet(own_agent, template, tmp_path, request.node.name)
    made.put("v", "1")
    return made


@pytest.fixture
def pair(fleet: Fleet) -> Iterator[Fleet]:
    """`a` leads, `b` follows."""
    fleet.start("a", says="leads")
    fleet.shows("a", "1 -")
    fleet.start("b", says="follows")
    fleet.shows("b", "1 -")
    yield fleet
    for tool in fleet.tools.values():
        tool.process.send_signal(signal.SIGCONT)


def test_a_follower_queries_only_local_lookups(pair: Fleet) -> None:
    pair.tools["a"].process.send_signal(signal.SIGSTOP)
    pair.put("v", "2")
    pair.put("own/b", "mine")
    # It has asked itself for what only its template asks for, and not for what the leader is to tell.
    pair.shows("b", "1 mine")
    pair.tools["a"].process.send_signal(signal.SIGCONT)
    pair.shows("a", "2 -")
    pair.shows("b", "2 mine")


def test_answers_shared_before_they_are_needed(fleet: Fleet, tmp_path: Path) -> None:
    name = repr(fleet.name)
    (tmp_path / "in.j2").write_text(
        f"{{% if key_exists({name} ~ '/wants/' ~ env('MACHINE')) %}}{{{{ key({name} ~ '/v') }}}}{{% endif %}}."
    )
    fleet.put("wants/a", "it")
    fleet.start("a", says="leads")
    fleet.shows("a", "1.")
    fleet.start("b", says="follows")
    fleet.shows("b", ".")
    fleet.put("wants/b", "it")
    fleet.shows("b", "1.")


def test_a_leader_that_ends_is_followed_by_another(pair: Fleet) -> None:
    held = pair.session()
    assert pair.tools["a"].end(signal.SIGTERM) == 12
    eventually(lambda: pair.tools["b"].said("leads"))
    eventually(lambda: pair.shared() and pair.session() not in ("", held))
    pair.put("v", "2")
    pair.shows("b", "2 -")
    pair.start("c", says="follows")
    pair.shows("c", "2 -")
    pair.tools["b"].end()
    pair.tools["c"].end()
    assert pair.keys() == [], "nothing stays behind"


def test_a_leader_that_dies(pair: Fleet) -> None:
    pair.tools["a"].process.kill()
    pair.tools["a"].process.wait()
    pair.put("v", "2")
    # What Consul does when the session's time is over, sooner.
    pair.agent.request("PUT", f"/v1/session/destroy/{pair.session()}", b"")
    pair.shows("b", "2 -")
    eventually(lambda: pair.tools["b"].said("leads"))


def test_a_leader_whose_session_ends_leads_again_with_another(fleet: Fleet) -> None:
    fleet.start("a", says="leads")
    fleet.shows("a", "1 -")
    ended = fleet.session()
    fleet.agent.request("PUT", f"/v1/session/destroy/{ended}", b"")
    eventually(lambda: fleet.shared() and fleet.session() not in ("", ended))
    fleet.put("v", "2")
    fleet.shows("a", "2 -")
    assert not fleet.tools["a"].said("cannot share answers"), "that is nothing to worry about"


def test_a_leader_that_is_deposed_follows(pair: Fleet) -> None:
    pair.tools["a"].process.send_signal(signal.SIGSTOP)
    pair.agent.request("PUT", f"/v1/session/destroy/{pair.session()}", b"")
    eventually(lambda: pair.tools["b"].said("leads"))
    pair.put("v", "2")
    pair.shows("b", "2 -")
    pair.tools["a"].process.send_signal(signal.SIGCONT)
    eventually(lambda: pair.tools["a"].said("follows"))
    pair.shows("a", "2 -")
    pair.put("v", "3")
    for machine in "ab":
        pair.shows(machine, "3 -")


def test_a_leader_whose_template_is_changed(pair: Fleet, tmp_path: Path) -> None:
    (tmp_path / "in.j2").write_text("now " + SHARED.replace("NAME", repr(pair.name)))
    pair.tools["a"].process.send_signal(signal.SIGHUP)
    pair.shows("a", "now 1 -")
    eventually(lambda: pair.tools["b"].said("leads"))
    pair.put("v", "2")
    pair.shows("a", "now 2 -")
    pair.shows("b", "2 -")
    pair.tools["b"].process.send_signal(signal.SIGHUP)
    pair.shows("b", "now 2 -")
    eventually(lambda: len(pair.shared()) == 1)
    pair.put("v", "3")
    pair.shows("a", "now 3 -")
    pair.shows("b", "now 3 -")


def test_a_leader_that_cannot_have_all_the_answers(fleet: Fleet, tmp_path: Path) -> None:
    """What it has is told all the same: others must not stay behind for its sake."""
    (tmp_path / "in.j2").write_text(f"{{{{ key('{fleet.name}/v') }}}} {{{{ service('x', dc='nowhere') | length }}}}")
    fleet.start("a", says="leads")
    eventually(lambda: fleet.shared()[0]["Value"])


def test_a_file_for_each(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "in.j2").write_text("{{ item.value }}")
    fleet.put("sites/x", "1")
    config = """
        deduplicate {{ enabled = true  prefix = "/fleet/" }}
        template {{
          source = "in.j2"  destination = "{0}/{{{{ item.key }}}}.conf"
          for_each = "ls('{1}/sites')"  prune = true
        }}
    """
    for machine in "ab":
        (tmp_path / f"{machine}.hcl").write_text(config.format(machine, fleet.name))
        tool = fleet.run(machine, "-config", f"{machine}.hcl")
        tool.shows(f"{machine}/x.conf", "1")
    fleet.put("sites/x", "2")
    fleet.put("sites/y", "3")
    for machine in "ab":
        fleet.tools[machine].shows(f"{machine}/x.conf", "2")
        fleet.tools[machine].shows(f"{machine}/y.conf", "3")
    fleet.agent.request("DELETE", f"/v1/kv/{fleet.name}/sites/x")
    for machine in "ab":
        eventually(lambda machine=machine: fleet.tools[machine].text(f"{machine}/x.conf") is None)
    keys = json.loads(fleet.agent.request("GET", "/v1/kv/fleet/?keys"))
    assert len([key for key in keys if key.endswith("/data")]) == 1


def test_an_agent_that_forgets_everything(pair: Fleet) -> None:
    pair.agent.stop()
    pair.agent.start()
    for machine in "ab":
        assert pair.tools[machine].text(f"{machine}.out") == "1 -"
    pair.put("v", "2")
    for machine in "ab":
        pair.shows(machine, "2 -")
    eventually(lambda: len(pair.shared()) == 1)
    pair.put("v", "3")
    for machine in "ab":
        pair.shows(machine, "3 -")


def test_a_shared_key_without_answers(fleet: Fleet) -> None:
    fleet.start("a", says="leads")
    fleet.shows("a", "1 -")
    (key,) = fleet.shared()
    fleet.tools["a"].end()
    other = json.loads(fleet.agent.request("PUT", "/v1/session/create", b'{"Behavior": "delete", "LockDelay": "0s"}'))
    fleet.agent.request("PUT", f"/v1/kv/{key['Key']}?acquire={other['ID']}", b"no answers")
    fleet.start("b", says="queries Consul itself: the shared document cannot be used")
    fleet.shows("b", "1 -")
    fleet.put("v", "2")
    fleet.shows("b", "2 -")
    fleet.agent.request("PUT", f"/v1/session/destroy/{other['ID']}", b"")
    eventually(lambda: fleet.tools["b"].said("leads"))


def test_without_the_permission_an_instance_queries_itself(special_agent: Any, template: Any) -> None:
    tokens = {"initial_management": ROOT}
    agent = special_agent(ROOT, acl={"enabled": True, "default_policy": "deny", "tokens": tokens})
    agent.put("app/v", "1")
    _allow(agent, 'key_prefix "app/" { policy = "read" }')
    tool = template(agent, "-dedup", "-template", "in.j2:out", "-consul-token", READER, in_j2="{{ key('app/v') }}")
    tool.shows("out", "1")
    assert tool.said("queries Consul itself: no instance shares answers")
    agent.put("app/v", "2")
    tool.shows("out", "2")
    assert READER not in tool.stderr


def _allow(agent: Any, rules: str) -> None:
    agent.request("PUT", "/v1/acl/policy", json.dumps({"Name": "p", "Rules": rules}).encode())
    agent.request("PUT", "/v1/acl/token", json.dumps({"SecretID": READER, "Policies": [{"Name": "p"}]}).encode())


def test_answers_that_are_too_many(special_agent: Any, template: Any, tmp_path: Path) -> None:
    fleet = Fleet(special_agent(limits={"kv_max_value_size": 400}), template, tmp_path, "big")
    fleet.put("v", base64.b64encode(bytes(range(256))).decode())
    fleet.start("a", says="the answers are too many to be shared")
    fleet.start("b", says="queries Consul itself: the answers are too many")
    fleet.put("v", "2")
    for machine in "ab":
        fleet.shows(machine, "2 -")
    eventually(lambda: fleet.tools["b"].said("follows"))
