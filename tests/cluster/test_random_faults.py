"""Random faults, one after the other and several at a time, while clients read, write and compare through random agents."""

from __future__ import annotations

import random
import time

import pytest
from cluster.machine_agent import MachineAgent
from cluster.server_cluster import ServerCluster
from cluster.verification import verify
from cluster.workload import load_on

SHORT_S, LONG_S = 60.0, 600.0


class Faults:
    """Does something random to a cluster, or undoes it."""

    def __init__(self, cluster: ServerCluster, seed: int) -> None:
        self._cluster, self._rng = cluster, random.Random(seed)
        self.done: list[str] = []

    def next(self) -> None:
        """Do one thing, then leave it for a while."""
        agent = self._rng.choice(self._cluster.agents)
        fault = self._rng.choice(
            (self._cut, self._one_way, self._loss, self._power_off, self._kill, self._restart, self._mend)
        )
        self.done.append(f"{fault.__name__} {agent.name}")
        fault(agent)
        time.sleep(self._rng.uniform(0.2, 4.0))
        if self._rng.random() < 0.5:
            self._mend(agent)

    def _cut(self, agent: MachineAgent) -> None:
        self._cluster.network.cut([agent.machine])

    def _one_way(self, agent: MachineAgent) -> None:
        other = self._rng.choice([one for one in self._cluster.agents if one is not agent])
        agent.machine.lose(source=other.machine.address)

    def _loss(self, agent: MachineAgent) -> None:
        agent.machine.lose(self._rng.choice((5, 20, 50)))

    def _power_off(self, agent: MachineAgent) -> None:
        if agent.is_running:
            agent.power_off()

    def _kill(self, agent: MachineAgent) -> None:
        if agent.is_running:
            agent.kill()

    def _restart(self, agent: MachineAgent) -> None:
        if agent.is_running:
            agent.stop()

    def _mend(self, agent: MachineAgent) -> None:
        """Repair the network and start what does not run, without waiting."""
        self._cluster.network.heal()
        for one in self._cluster.agents:
            if not one.is_running:
                one.launch()


def run(cluster: ServerCluster, seconds: float, seed: int) -> None:
    """Do random things for a while, then verify everything."""
    faults = Faults(cluster, seed)
    end = time.monotonic() + seconds
    try:
        with load_on(cluster.agents, seed) as load:
            while time.monotonic() < end:
                faults.next()
            cluster.mend()
            load.wait_for_progress(50)
        verify(cluster, load)
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(faults.done)}")
        raise


def test_random_faults_for_a_short_time(servers: ServerCluster) -> None:
    run(servers, SHORT_S, seed=random.SystemRandom().randrange(1 << 16))


@pytest.mark.slow
def test_random_faults_for_a_long_time(servers: ServerCluster) -> None:
    run(servers, LONG_S, seed=random.SystemRandom().randrange(1 << 16))
