"""Servers that die or are cut off while clients write and read: nothing confirmed is lost, and no client sees the past."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from cluster.machine_agent import MachineAgent
from cluster.server_cluster import ServerCluster
from cluster.verification import verify
from cluster.workload import load_on
from support.eventually import eventually

HELD_S = 7.0  # rpc_hold_timeout: how long a request waits for a leader
BACK_S = 20.0  # until a server that was away votes again


def voters(agent: MachineAgent) -> set[str]:
    configuration = agent.get("/v1/operator/raft/configuration")
    return {server["Node"] for server in configuration["Servers"] if server["Voter"]}


def children_of(agent: MachineAgent) -> dict[int, str]:
    """Return the other processes on an agent's machine, with their command lines."""
    own = agent.process.pid if agent.process is not None else 0
    lines = {}
    for pid in agent.machine.processes():
        try:
            lines[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return {pid: line for pid, line in lines.items() if pid != own}


def others(cluster: ServerCluster, agent: MachineAgent) -> list[MachineAgent]:
    return [one for one in cluster.agents if one is not agent]


def test_the_leader_is_powered_off(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    with load_on(servers.agents, seed=1) as load:
        began = time.monotonic()
        leader.power_off()
        load.wait_for_progress(100)
        assert servers.wait_for_leader() is not leader
        pause = load.longest_pause(began).seconds
        leader.launch()
        servers.wait_until_whole()
        load.wait_for_progress(50)
    verify(servers, load)
    assert pause < HELD_S


def test_a_server_that_was_removed_while_it_was_away_is_back_soon(servers: ServerCluster) -> None:
    """Autopilot removes servers that have failed; one that is switched on again joins at once."""
    away = servers.followers()[0]
    away.power_off()
    present = next(server for server in servers.servers if server is not away)
    eventually(lambda: away.name not in voters(present), servers.logs)
    began = time.monotonic()
    away.launch()
    servers.wait_until_whole()
    assert time.monotonic() - began < BACK_S


def test_the_leader_s_agent_is_killed_alone(servers: ServerCluster) -> None:
    """Its etcd and its relay end with it, or serve the next agent."""
    leader = servers.wait_for_leader()
    before = children_of(leader)
    assert any("etcd" in line for line in before.values())
    with load_on(servers.agents, seed=2) as load:
        leader.kill()
        load.wait_for_progress(100)
        leader.start()
        load.wait_for_progress(50)
    servers.mend()
    verify(servers, load)
    members = [line for line in children_of(leader).values() if "--initial-cluster" in line]
    assert len(members) == 1


def test_an_etcd_member_is_killed_alone(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    with load_on(servers.agents, seed=3) as load:
        (member,) = [pid for pid, line in children_of(leader).items() if "--initial-cluster" in line]
        leader.machine.run("kill", "-9", str(member))
        load.wait_for_progress(100)
    servers.mend()
    verify(servers, load)


@pytest.mark.parametrize("seed", [4, pytest.param(5, marks=pytest.mark.slow), pytest.param(6, marks=pytest.mark.slow)])
def test_all_machines_are_powered_off_at_once_and_on_again_in_any_order(servers: ServerCluster, seed: int) -> None:
    rng = random.Random(seed)
    with load_on(servers.agents, seed=seed) as load:
        for agent in servers.agents:
            agent.power_off()
        time.sleep(1)
        for agent in rng.sample(servers.agents, len(servers.agents)):
            agent.launch()
            time.sleep(rng.uniform(0, 1.5))
        load.wait_for_progress(100)
    servers.mend()
    verify(servers, load)


def test_a_leader_in_a_minority_confirms_nothing(servers: ServerCluster) -> None:
    leader = servers.wait_for_leader()
    majority = others(servers, leader)
    leader.put("/v1/kv/known", b"before")
    with load_on(majority, seed=5) as load:
        servers.network.cut([leader.machine])
        load.wait_for_progress(100)
        assert servers.wait_for_leader(seen_by=[one for one in servers.servers if one is not leader]) is not leader
        status, _, body = leader.request("PUT", "/v1/kv/lost", b"x")
        assert status == 500
        for mode in ("", "?consistent"):
            assert leader.request("GET", f"/v1/kv/known{mode}")[0] == 500
        status, headers, body = leader.request("GET", "/v1/kv/known?stale")
        assert (status, json.loads(body)[0]["Key"]) == (200, "known")
        assert headers["x-consul-knownleader"] == "false"
        servers.network.heal()
        servers.wait_until_whole()
        load.use(servers.agents)
        load.wait_for_progress(50)
    verify(servers, load)
    assert leader.request("GET", "/v1/kv/lost")[0] == 404


@pytest.mark.parametrize("direction", ["from", pytest.param("to", marks=pytest.mark.slow)])
def test_packets_pass_in_one_direction_only(servers: ServerCluster, direction: str) -> None:
    """The leader no longer hears one follower, or is no longer heard by it: the third server and the clients can go on."""
    leader = servers.wait_for_leader()
    follower, third = servers.followers()
    with load_on([third, *servers.clients], seed=6) as load:
        hears, heard = (leader, follower) if direction == "from" else (follower, leader)
        hears.machine.lose(source=heard.machine.address)
        load.wait_for_progress(200)
        servers.network.heal()
        load.wait_for_progress(50)
    servers.mend()
    verify(servers, load)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_everything_is_restarted_in_any_order(servers: ServerCluster, seed: int) -> None:
    """Each agent once, some with an orderly stop and some killed; clients of the others notice nothing but a pause."""
    rng = random.Random(seed)
    order = rng.sample(servers.agents, len(servers.agents))
    with load_on(servers.agents, seed=seed) as load:
        for agent in order:
            agent.kill() if rng.random() < 0.5 else agent.stop()
            agent.launch()
            load.wait_for_progress(20)
            eventually(lambda agent=agent: agent.name in servers.wait_for_leader().members(), servers.logs)
    servers.mend()
    verify(servers, load)
