"""Agents without addresses in their settings, on machines without a default route."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cluster.machine_agent import FAST, MachineAgent
from cluster.network import Network, require_namespaces
from support.eventually import eventually


@pytest.fixture
def network() -> Iterator[Network]:
    require_namespaces()
    made = Network(2)
    yield made
    made.close()


def test_agents_advertise_the_address_of_their_interface(network: Network, tmp_path: Path) -> None:
    first, second = network.machines
    settings = {"bind_addr": "0.0.0.0", "gossip_lan": FAST}
    agents = [
        MachineAgent(first, tmp_path / "m1", "m1", **settings),
        MachineAgent(second, tmp_path / "m2", "m2", retry_join=[first.address], **settings),
    ]
    try:
        for agent in agents:
            agent.start()
        for agent in agents:
            eventually(partial(agent.sees, {"m1": 1, "m2": 1}), agent.log)
            assert (agent.address_of("m1"), agent.address_of("m2")) == (first.address, second.address)
    finally:
        for agent in agents:
            if agent.process is not None:
                agent.kill()
