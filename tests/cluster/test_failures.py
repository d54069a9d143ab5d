"""Five machines on a switch: they find each other, and see failed agents and cut cables as they are."""

from __future__ import annotations

from functools import partial

import pytest
from cluster.five_machines import Cluster
from cluster.machine_agent import MachineAgent
from support.eventually import eventually

ALIVE, FAILED = 1, 4


def has_address(seen_by: MachineAgent, name: str, address: str) -> bool:
    return seen_by.address_of(name) == address


def test_five_machines_find_each_other(cluster: Cluster) -> None:
    for agent in cluster.agents:
        assert agent.address_of("m3") == "10.77.0.3"
        assert agent.get("/v1/agent/self")["Stats"]["serf_lan"]["encrypted"] == "true"


def test_the_catalog_of_each_shows_all(cluster: Cluster) -> None:
    for agent in cluster.agents:
        nodes = {node["Node"]: node["Address"] for node in agent.get("/v1/catalog/nodes")}
        assert nodes == {f"m{number}": f"10.77.0.{number}" for number in range(1, 6)}


def cut_and_repair_the_cable_of_the_last(cluster: Cluster) -> None:
    *others, last = cluster.agents
    cluster.network.cut([last.machine])
    cluster.wait_until(FAILED, "m5")
    for agent in others:
        cluster.wait_until(FAILED, agent.name, seen_by=[last])
    cluster.network.heal()


def test_after_a_cut_cable_was_repaired_one_join_unites_all(cluster: Cluster) -> None:
    cut_and_repair_the_cable_of_the_last(cluster)
    cluster.agents[-1].put(f"/v1/agent/join/{cluster.agents[0].machine.address}")
    cluster.wait_until_all_alive()


@pytest.mark.slow
def test_after_a_cut_cable_was_repaired_a_reconnect_unites_all(cluster: Cluster) -> None:
    cut_and_repair_the_cable_of_the_last(cluster)
    cluster.wait_until_all_alive()


@pytest.mark.slow
def test_a_network_in_two_parts_and_whole_again(cluster: Cluster) -> None:
    left, right = cluster.agents[:3], cluster.agents[3:]
    cluster.network.cut(agent.machine for agent in right)
    for ours, theirs in ((left, right), (right, left)):
        for agent in theirs:
            cluster.wait_until(FAILED, agent.name, seen_by=ours)
        for agent in ours:
            cluster.wait_until(ALIVE, agent.name, seen_by=ours)
    cluster.network.heal()
    cluster.wait_until_all_alive()


def test_a_killed_agent_fails_and_comes_back(cluster: Cluster) -> None:
    agent = cluster.agents[3]
    agent.kill()
    cluster.wait_until(FAILED, "m4")
    agent.start()
    cluster.wait_until_all_alive()


def test_an_agent_that_failed_comes_back_with_another_address(cluster: Cluster) -> None:
    """At once, since it has the same node ID; another machine with its name would have to wait."""
    agent = cluster.agents[4]
    agent.kill()
    cluster.wait_until(FAILED, "m5")
    come_back_elsewhere(cluster, agent, "10.77.0.55")


def test_an_agent_that_left_comes_back_with_another_address(cluster: Cluster) -> None:
    agent = cluster.agents[4]
    agent.put("/v1/agent/leave")
    assert agent.process is not None
    assert agent.process.wait(30) == 0
    come_back_elsewhere(cluster, agent, "10.77.0.55")


def come_back_elsewhere(cluster: Cluster, agent: MachineAgent, address: str) -> None:
    """Start an agent again on another address, and wait until all know it there."""
    agent.machine.set_address(address)
    agent.change_settings(bind_addr=address)
    agent.start()
    for other in cluster.agents:
        eventually(partial(has_address, other, agent.name, address), other.log)
    cluster.wait_until_all_alive()
