"""Requests from a client agent to its server while the cable between them is cut and mended."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cluster.machine_agent import MachineAgent
from cluster.network import Network, require_namespaces
from support.eventually import eventually

LIST = "/v1/kv/?keys"


@pytest.fixture
def network() -> Iterator[Network]:
    require_namespaces()
    made = Network(2)
    yield made
    made.close()


def writes(agent: MachineAgent) -> bool:
    try:
        return agent.request("PUT", "/v1/kv/a", b"x")[0] == 200
    except OSError:  # it starts
        return False


def test_a_cut_cable_is_noticed_in_seconds_and_requests_go_on_once_it_is_mended(
    network: Network, tmp_path: Path
) -> None:
    first, second = network.machines
    server = MachineAgent(first, tmp_path / "s1", "s1", log_level="debug")
    client = MachineAgent(
        second,
        tmp_path / "web1",
        "web1",
        server=False,
        bootstrap_expect=None,
        retry_join=[first.address],
        log_level="debug",
    )
    try:
        server.start()
        client.launch()
        eventually(partial(writes, client), client.log)
        network.cut([second])
        for agent, other in ((client, "s1"), (server, "web1")):
            agent.wait_for_log(f"no sign of life of agent {other} for 4 s")
        network.heal()
        eventually(lambda: client.request("GET", LIST)[0] == 200, client.log)
        # The agent has connected again by itself: the server can ask it.
        eventually(lambda: server.log().count("connected: agent=web1") == 2, server.log)
    finally:
        for agent in (client, server):
            if agent.process is not None:
                agent.kill()
