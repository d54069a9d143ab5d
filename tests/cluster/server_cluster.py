"""A network with three servers and two client agents, one on each machine."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cluster.machine_agent import FAST, MachineAgent
from cluster.network import Network, require_namespaces
from support.eventually import eventually

SERVERS, CLIENTS, SPARE = 3, 2, 1
FORM_S = 60.0  # until a cluster has formed, or is whole again after a fault
#: Failures show after some tenths of a second, and a new server gets its vote at once.
SETTINGS: dict[str, Any] = {
    "gossip_lan": FAST,
    "performance": {"raft_multiplier": 1},
    "autopilot": {"server_stabilization_time": "200ms"},
    "disable_update_check": True,
}


class ServerCluster:
    """Servers m1 to m3 and client agents m4 and m5, and a machine without an agent, for a newcomer."""

    def __init__(self, folder: Path, *, grows: bool = False, **settings: Any) -> None:
        """grows: m1 is a single server, and `start` leaves m2 and m3 to the test."""
        self.network = Network(SERVERS + CLIENTS + SPARE)
        self.folder, self._settings = folder, {**SETTINGS, **settings}
        expected = [1, None, None] if grows else [SERVERS] * SERVERS
        self.servers = [self.server(number, bootstrap_expect=expect) for number, expect in enumerate(expected, 1)]
        self._first = [self.servers[0]] if grows else self.servers
        self.clients = [self.client(SERVERS + number) for number in range(1, CLIENTS + 1)]

    def server(self, number: int, **settings: Any) -> MachineAgent:
        """Make the agent of a server, to be started."""
        return self._agent(number, server=True, **settings)

    def client(self, number: int, **settings: Any) -> MachineAgent:
        """Make a client agent, to be started."""
        return self._agent(number, server=False, bootstrap_expect=None, **settings)

    def _agent(self, number: int, **settings: Any) -> MachineAgent:
        machine = self.network.machines[number - 1]
        join = [one.address for one in self.network.machines[:SERVERS]]
        settings = {**self._settings, "retry_join": join, **settings}
        return MachineAgent(machine, self.folder / f"m{number}", f"m{number}", **settings)

    @property
    def agents(self) -> list[MachineAgent]:
        return [*self.servers, *self.clients]

    def logs(self) -> str:
        """Return the end of each agent's log."""
        return "\n".join(f"--- {agent.name}\n{agent.log()[-3000:]}" for agent in self.agents if agent.log_file.exists())

    def leader(self, *, seen_by: Sequence[MachineAgent] | None = None) -> MachineAgent | None:
        """Return the server that all of some servers (all that run, by default) take for the leader."""
        asked = seen_by or [server for server in self.servers if server.is_running]
        addresses = {_answer(server, "/v1/status/leader?stale") for server in asked}
        if len(addresses) != 1:
            return None
        (address,) = addresses
        return next((server for server in self.servers if f"{server.machine.address}:8300" == address), None)

    def wait_for_leader(self, *, seen_by: Sequence[MachineAgent] | None = None) -> MachineAgent:
        """Return the leader, as soon as all agree on one."""
        return eventually(partial(self.leader, seen_by=seen_by), self.logs, patience=FORM_S)

    def followers(self) -> list[MachineAgent]:
        """Return the servers that do not lead."""
        leader = self.wait_for_leader()
        return [server for server in self.servers if server is not leader]

    def start(self) -> None:
        """Start the agents, and wait until each accepts a write."""
        for agent in (*self._first, *self.clients):
            agent.launch()
        for agent in (*self._first, *self.clients):
            eventually(partial(_writes, agent), self.logs, patience=FORM_S)
        if self._first == self.servers:
            self.wait_until_whole()

    def mend(self) -> None:
        """Undo every fault: start what does not run, repair the network, and wait until the cluster is whole."""
        self.network.heal()
        for agent in self.agents:
            if not agent.is_running:
                agent.launch()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until all agents see each other, all servers vote, one leads, and each agent writes and reads."""
        alive = {agent.name: 1 for agent in self.agents}
        for agent in self.agents:
            eventually(partial(_sees, agent, alive), self.logs, patience=FORM_S)
        self.wait_for_leader()
        eventually(self._all_vote, self.logs, patience=FORM_S)
        for agent in self.agents:
            eventually(partial(_writes, agent), self.logs, patience=FORM_S)

    def _all_vote(self) -> bool:
        configuration = _answer(self.servers[0], "/v1/operator/raft/configuration") or {"Servers": []}
        voters = {server["Node"] for server in configuration["Servers"] if server["Voter"]}
        return voters == {server.name for server in self.servers}

    def close(self) -> None:
        """Kill everything on the machines, and remove these."""
        for machine in self.network.machines:
            machine.power_off()
        for agent in self.agents:
            if agent.process is not None:
                agent.process.wait()
        self.network.close()


@contextmanager
def running_servers(
    folder: Path, prepare: Callable[[ServerCluster], None] | None = None, **options: Any
) -> Iterator[ServerCluster]:
    """A whole cluster while the block runs; `prepare` is called before it starts."""
    require_namespaces()
    cluster = ServerCluster(folder, **options)
    try:
        if prepare is not None:
            prepare(cluster)
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def _answer(agent: MachineAgent, path: str) -> Any:
    """Return the JSON of a GET; None if there is none."""
    with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
        return agent.get(path)
    return None


def _sees(agent: MachineAgent, members: dict[str, int]) -> bool:
    with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
        return agent.sees(members)
    return False


def _writes(agent: MachineAgent) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        path = f"/v1/kv/whole/{agent.name}"
        return [agent.request("PUT", path, b"x")[0], agent.request("GET", path)[0]] == [200, 200]
    return False
