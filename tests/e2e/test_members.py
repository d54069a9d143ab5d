"""Three agents in one pool: what users see of members, events and gossip keys, over HTTP and on the command line.

The agents share no data: each has its own catalog, which shows all members.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.agent_process import AgentProcess, StartAgent, running_agent
from support.eventually import eventually

pytestmark = pytest.mark.single_server("its agents join each other")

Run = Callable[..., subprocess.CompletedProcess[bytes]]
ALIVE, LEFT, FAILED = 1, 3, 4
KEYS = ("pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=", "6f5eQYoYw2pSI5gEwDAPZz6kAnDAnkP8wIsVqGhKSQA=")


def statuses(agent: AgentProcess) -> dict[str, int]:
    return {member["Name"]: member["Status"] for member in agent.get("/v1/agent/members")}


def health(agent: AgentProcess, node: str) -> list[str]:
    """The states of a node's checks, in the catalog of an agent."""
    return [check["Status"] for check in agent.get(f"/v1/health/node/{node}") if check["CheckID"] == "serfHealth"]


def nodes(agent: AgentProcess) -> list[str]:
    return [node["Node"] for node in agent.get("/v1/catalog/nodes")]


def events(agent: AgentProcess) -> list[str]:
    return [event["Name"] for event in agent.get("/v1/event/list")]


@pytest.fixture(scope="module")
def pool() -> Iterator[list[AgentProcess]]:
    """The agents a, b and c, with one gossip key."""
    with ExitStack() as stack:
        agents: list[AgentProcess] = []
        for name in ("a", "b", "c"):
            join = [f"127.0.0.1:{agent.lan_port}" for agent in agents[:1]]
            agent = running_agent(node_name=name, retry_join=join, encrypt=KEYS[0])
            agents.append(stack.enter_context(agent))
        for agent in agents:
            eventually(lambda agent=agent: statuses(agent) == dict.fromkeys("abc", ALIVE), agent.log)
        yield agents


def test_every_catalog_shows_all_members(pool: list[AgentProcess], pyconsul: Run) -> None:
    for agent in pool:
        eventually(lambda agent=agent: nodes(agent) == ["a", "b", "c"], agent.log)
        assert [health(agent, name) for name in "abc"] == [["passing"]] * 3
    lines = pyconsul("members", CONSUL_HTTP_ADDR=pool[1].address).stdout.decode().splitlines()[1:]
    assert [line.split()[:4] for line in lines] == [
        [name, f"127.0.0.1:{agent.lan_port}", "alive", "server"] for name, agent in zip("abc", pool, strict=True)
    ]


def test_an_event_reaches_every_agent_that_it_is_for(pool: list[AgentProcess], pyconsul: Run) -> None:
    pool[2].put("/v1/agent/service/register", {"Name": "web", "Tags": ["blue"]})
    for filters in (["-name=all"], ["-name=some", "-node=^[bc]$"], ["-name=web", "-service=web", "-tag=blue"]):
        done = pyconsul("event", *filters, "payload", CONSUL_HTTP_ADDR=pool[0].address)
        assert re.fullmatch(rb"Event ID: [0-9a-f-]{36}\n", done.stdout), done.stderr
    wanted = ({"all"}, {"all", "some"}, {"all", "some", "web"})
    for agent, names in zip(pool, wanted, strict=True):
        eventually(lambda agent=agent, names=names: set(events(agent)) == names, agent.log)
        assert len(events(agent)) == len(names), "an event was delivered twice"
    times = {event["LTime"] for agent in pool for event in agent.get("/v1/event/list?name=all")}
    assert len(times) == 1


def test_a_reader_wakes_when_another_agent_fires(pool: list[AgentProcess]) -> None:
    _, headers, _ = pool[1].request("GET", "/v1/event/list?name=wake")
    pool[0].put("/v1/event/fire/wake")
    status, _, body = pool[1].request("GET", f"/v1/event/list?name=wake&wait=25s&index={headers['x-consul-index']}")
    assert (status, [event["Name"] for event in json.loads(body)]) == (200, ["wake"])


def test_an_event_that_is_too_large_is_refused(pool: list[AgentProcess]) -> None:
    status, _, body = pool[0].request("PUT", "/v1/event/fire/large", b"x" * 600)
    assert (status, body) == (500, b"user event exceeds configured limit of 512 bytes before encoding")


def test_keys_are_changed_everywhere(pool: list[AgentProcess], pyconsul: Run) -> None:
    def keyring(*words: str) -> bytes:
        done = pyconsul("keyring", *words, CONSUL_HTTP_ADDR=pool[0].address)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert (
        keyring("-list").split()
        == f"==> Gathering installed encryption keys... dc1 (LAN): {KEYS[0]} [3/3]".encode().split()
    )
    keyring(f"-install={KEYS[1]}")
    keyring(f"-use={KEYS[1]}", "-relay-factor=2")
    assert f"{KEYS[1]} [3/3]".encode() in keyring("-list-primary")
    keyring(f"-remove={KEYS[0]}")
    assert KEYS[0].encode() not in keyring("-list")
    done = pyconsul("keyring", f"-remove={KEYS[1]}", CONSUL_HTTP_ADDR=pool[2].address)
    assert b"a: Removing the primary key is not allowed" in done.stderr
    for agent in pool:
        assert statuses(agent) == dict.fromkeys("abc", ALIVE)


def test_a_join_that_fails_says_why(pool: list[AgentProcess], pyconsul: Run) -> None:
    with running_agent(node_name="plain") as agent:
        done = pyconsul("join", f"127.0.0.1:{pool[0].lan_port}", CONSUL_HTTP_ADDR=agent.address)
        assert done.returncode == 1
        assert b"Remote state is encrypted and encryption is not configured" in done.stderr
        assert statuses(agent) == {"plain": ALIVE}
    assert set(statuses(pool[0])) == set("abc")


def test_a_second_agent_of_a_name_is_ignored_and_told_so(pool: list[AgentProcess]) -> None:
    (keys,) = pool[0].get("/v1/operator/keyring")
    (key,) = keys["PrimaryKeys"]
    with running_agent(node_name="b", encrypt=key, retry_join=[f"127.0.0.1:{pool[0].lan_port}"]) as twin:
        twin.wait_for_log("another agent at ")
        twin.wait_for_log("uses the name of this agent")
        for agent in pool:
            (member,) = [member for member in agent.get("/v1/agent/members") if member["Name"] == "b"]
            assert member["Port"] == pool[1].lan_port
            (node,) = [node for node in agent.get("/v1/catalog/nodes") if node["Node"] == "b"]
            assert node["ID"] == member["Tags"]["id"]


def test_the_agent_and_its_figures(pool: list[AgentProcess]) -> None:
    found = pool[0].get("/v1/agent/self")
    assert (found["Member"]["Name"], found["Member"]["Tags"]["role"]) == ("a", "consul")
    assert found["Stats"]["serf_lan"].items() >= {"members": "3", "failed": "0", "encrypted": "true"}.items()
    metrics = pool[0].get("/v1/agent/metrics")
    assert {gauge["Name"]: gauge["Value"] for gauge in metrics["Gauges"]}["consul.members.servers"] == 3
    assert {one["Name"]: one["Count"] for one in metrics["Counters"]}["consul.serf.member.join"] >= 2


class TestMembersThatGo:
    """Agents that fail, are forced out, or leave by themselves."""

    @pytest.fixture
    def first(self, start_agent: StartAgent) -> AgentProcess:
        return start_agent(node_name="first")

    @pytest.fixture
    def other(self, first: AgentProcess, start_agent: StartAgent) -> AgentProcess:
        other = start_agent(node_name="other", retry_join=[f"127.0.0.1:{first.lan_port}"])
        eventually(lambda: health(first, "other") == ["passing"], first.log)
        return other

    def test_a_member_that_is_killed_fails_and_is_explained(
        self, first: AgentProcess, other: AgentProcess, pyconsul: Run
    ) -> None:
        first.put("/v1/catalog/register", {"Node": "external", "Address": "10.0.0.1"})
        other.kill()
        eventually(lambda: health(first, "other") == ["critical"], first.log)
        assert statuses(first) == {"first": ALIVE, "other": FAILED}
        done = pyconsul("members", "-why", "other", CONSUL_HTTP_ADDR=first.address)
        head, *reasons = done.stdout.decode().splitlines()
        assert head == f"other  127.0.0.1:{other.lan_port}  failed"
        assert reasons[0].startswith("  declared dead by first"), reasons
        assert any("went unanswered" in reason for reason in reasons)
        (explained,) = first.get("/v1/agent/members?explain=other")
        assert explained["MissedProbes"] >= 1
        assert explained["FailsInSeconds"] is None

        assert pyconsul("force-leave", "other", CONSUL_HTTP_ADDR=first.address).returncode == 0
        eventually(lambda: nodes(first) == ["external", "first"], first.log)
        assert statuses(first) == {"first": ALIVE, "other": LEFT}
        assert pyconsul("force-leave", "-prune", "other", CONSUL_HTTP_ADDR=first.address).returncode == 0
        eventually(lambda: statuses(first) == {"first": ALIVE}, first.log)
        assert nodes(first) == ["external", "first"]

    def test_a_member_that_leaves_comes_back_by_no_late_registration(
        self, first: AgentProcess, other: AgentProcess, pyconsul: Run
    ) -> None:
        node: dict[str, Any] = next(node for node in first.get("/v1/catalog/nodes") if node["Node"] == "other")
        done = pyconsul("leave", CONSUL_HTTP_ADDR=other.address)
        assert done.stdout == b"Graceful leave complete\n"
        eventually(lambda: nodes(first) == ["first"], first.log)
        assert statuses(first) == {"first": ALIVE, "other": LEFT}
        late = {"ID": node["ID"], "Node": "other", "Address": node["Address"], "Service": {"Service": "web"}}
        first.put("/v1/catalog/register", late)
        eventually(lambda: nodes(first) == ["first"], first.log)


@pytest.mark.slow
def test_coordinates_are_measured_and_written(pool: list[AgentProcess], pyconsul: Run) -> None:
    def known() -> bool:
        return [entry["Node"] for entry in pool[0].get("/v1/coordinate/nodes")] == ["a", "b", "c"]

    eventually(known, pool[0].log, patience=60)
    done = pyconsul("rtt", "b", "c", CONSUL_HTTP_ADDR=pool[0].address)
    assert re.fullmatch(rb"Estimated b <-> c rtt: \d+\.\d{3} ms \(using LAN coordinates\)\n", done.stdout)
    assert sorted(node["Node"] for node in pool[0].get("/v1/catalog/nodes?near=b")) == ["a", "b", "c"]
    assert len(pool[0].get("/v1/agent/self")["Coord"]["Vec"]) == 8
