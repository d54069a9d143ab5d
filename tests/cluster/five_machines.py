"""A network of five machines with an agent each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cluster.machine_agent import MachineAgent
from cluster.network import Network, require_namespaces
from support.eventually import eventually

KEY = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="
MACHINES = 5
RECONNECT_S = 120.0


class Cluster:
    """A network, and an agent on each machine, named m1 to m5; gossip is encrypted. `settings` are those of the agents."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.network = Network(MACHINES)
        first = self.network.machines[0].address
        self.agents = [
            MachineAgent(machine, folder / f"m{number}", f"m{number}", encrypt=KEY, retry_join=[first], **settings)
            for number, machine in enumerate(self.network.machines, 1)
        ]

    def wait_until(self, status: int, name: str, *, seen_by: list[MachineAgent] | None = None) -> None:
        """Wait until agents (all others, if none are given) see a member with a status."""
        for agent in seen_by or [one for one in self.agents if one.name != name]:
            eventually(partial(agent.sees, {name: status}), agent.log)

    def wait_until_all_alive(self) -> None:
        """Wait until every agent sees all of them alive. After a cut that may need a reconnect, tried every 30 s."""
        everybody = {agent.name: 1 for agent in self.agents}
        for agent in self.agents:
            eventually(partial(agent.sees, everybody), agent.log, patience=RECONNECT_S)

    def failures(self) -> int:
        """Return how often any of the agents has declared a member failed."""
        return sum(agent.log().count("member failed: ") for agent in self.agents)

    def close(self) -> None:
        """Stop the agents, and remove the machines."""
        for agent in self.agents:
            if agent.process is not None and agent.process.poll() is None:
                agent.kill()
        self.network.close()


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Cluster]:
    """A cluster while the block runs. Skips the test where no machines can be made."""
    require_namespaces()
    cluster = Cluster(folder, **settings)
    try:
        for agent in cluster.agents:
            agent.launch()
        for agent in cluster.agents:
            agent.wait_until_ready()
        yield cluster
    finally:
        cluster.close()
