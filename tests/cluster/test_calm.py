"""Five machines with the default timing: no member fails when packets are lost or keys change."""

from __future__ import annotations

import time

import pytest
from cluster.five_machines import KEY, Cluster

NEW_KEY = "6f5eQYoYw2pSI5gEwDAPZz6kAnDAnkP8wIsVqGhKSQA="
#: Seconds for which nothing may happen: each agent sends as many probes.
CALM_S = 60.0


def test_keys_are_rotated_while_everybody_stays_alive(steady_cluster: Cluster) -> None:
    agents = steady_cluster.agents
    for method, agent, key in (("POST", agents[0], NEW_KEY), ("PUT", agents[-1], NEW_KEY), ("DELETE", agents[0], KEY)):
        status, _, body = agent.request(method, "/v1/operator/keyring", {"Key": key})
        assert status == 200, body
    lan = next(pool for pool in agents[-1].get("/v1/operator/keyring") if not pool["WAN"])
    assert (lan["Keys"], lan["PrimaryKeys"]) == ({NEW_KEY: 5}, {NEW_KEY: 5})
    for agent in agents:
        assert NEW_KEY in (agent.folder / "data/serf/local.keyring").read_text()
    restarted = agents[1]
    restarted.kill()
    restarted.start()  # with the new key, although its settings still name the old one
    steady_cluster.wait_until_all_alive()
    assert steady_cluster.failures() == 0


@pytest.mark.slow
def test_loss_in_one_direction_between_two_machines_makes_nobody_fail(steady_cluster: Cluster) -> None:
    first, second, *_ = (agent.machine for agent in steady_cluster.agents)
    second.lose(source=first.address)
    time.sleep(CALM_S)
    assert steady_cluster.failures() == 0
    steady_cluster.wait_until_all_alive()


@pytest.mark.slow
def test_loss_of_a_tenth_of_all_packets_makes_nobody_fail(steady_cluster: Cluster) -> None:
    for agent in steady_cluster.agents:
        agent.machine.lose(10)
    time.sleep(CALM_S)
    assert steady_cluster.failures() == 0
    steady_cluster.wait_until_all_alive()
