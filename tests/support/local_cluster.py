"""Three servers and some client agents on free ports of this machine, for benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from support.agent_process import AgentProcess
from support.eventually import eventually

FORM_S = 60.0


class LocalCluster:
    """servers, clients: their agents, named s1, s2 … and c1, c2 …"""

    def __init__(self, folder: Path, clients: int = 0, servers: int = 3, **settings: Any) -> None:
        self._folder, self._settings = folder, settings
        self.servers: list[AgentProcess] = []
        for number in range(1, servers + 1):
            self.servers.append(self._agent(f"s{number}", server=True, bootstrap_expect=servers))
        self.clients = [
            self._agent(f"c{number}", server=False, bootstrap_expect=None) for number in range(1, clients + 1)
        ]

    def _agent(self, name: str, **settings: Any) -> AgentProcess:
        folder = self._folder / name
        folder.mkdir()
        join = [f"127.0.0.1:{server.lan_port}" for server in self.servers]
        limits = {"http_max_conns_per_client": 0}
        common = {"node_name": name, "retry_join": join, "retry_interval": "1s", "log_level": "warn", "limits": limits}
        return AgentProcess(
            folder, folder / "data", **{**common, "disable_host_node_id": True, **self._settings, **settings}
        )

    @property
    def agents(self) -> list[AgentProcess]:
        return [*self.servers, *self.clients]

    def start(self) -> None:
        """Start all agents, and wait until the cluster is whole."""
        for agent in self.agents:
            agent.launch()
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until all servers vote and agree on a leader, and each agent writes and reads."""
        eventually(
            lambda: self.leader() is not None and self._voters() == len(self.servers), self.logs, patience=FORM_S
        )
        for agent in self.agents:
            eventually(partial(_works, agent), self.logs, patience=FORM_S)

    def _voters(self) -> int:
        with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
            found = self.servers[0].get("/v1/operator/raft/configuration")["Servers"]
            return sum(bool(server["Voter"]) for server in found)
        return 0

    def leader(self) -> AgentProcess | None:
        """Return the server that all running ones take for the leader."""
        named = set()
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
                    named.add(server.get("/v1/status/leader?stale"))
        ports = {server.rpc_port: server for server in self.servers}
        return ports.get(int((named.pop() or ":0").rpartition(":")[2])) if len(named) == 1 else None

    def wait_for_leader(self) -> AgentProcess:
        return eventually(self.leader, self.logs, patience=FORM_S)

    def logs(self) -> str:
        """Return the end of each agent's log."""
        return "\n".join(f"--- {agent.folder.name}\n{agent.log()[-2000:]}" for agent in self.agents)

    def close(self) -> None:
        """End everything."""
        for agent in reversed(self.agents):
            power_off(agent)


@contextmanager
def local_cluster(clients: int = 0, **settings: Any) -> Iterator[LocalCluster]:
    """A cluster with its data beside the tests, on a disk, while the block runs."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parents[1]) as folder:
        cluster = LocalCluster(Path(folder), clients, **settings)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()


def power_off(agent: AgentProcess) -> None:
    """Kill an agent and all that it has started, at once."""
    if agent.process is None:
        return
    for pid in family(agent.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    agent.process.wait()


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    parents = {}
    for line in subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        child, parent = map(int, line.split())
        parents[child] = parent
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _works(agent: AgentProcess) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        path = f"/v1/kv/whole/{agent.folder.name}"
        return [agent.request("PUT", path, b"x")[0], agent.request("GET", path)[0]] == [200, 200]
    return False
