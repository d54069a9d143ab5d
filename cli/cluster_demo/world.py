"""Everything that runs in the demonstration: agents, instances of a service, HAProxy, and clients."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from pyconsul.cli.cluster_demo.clients import Visitor, Writer
from pyconsul.cli.cluster_demo.janitor import Janitor
from pyconsul.cli.cluster_demo.machines import Machine, Network, make_network
from pyconsul.cli.errors import CliError
from pyconsul.cli.unix_http import Answer, ask

SERVERS, CLIENTS = ("s1", "s2", "s3"), ("c1", "c2")
MAX_PATH = 50  # of the folder for temporary files: that of a socket has at most 107 characters
START_S = 60.0  # that each step gets
WEB_PORT = 21200
MISSING = "the demonstration needs etcd, which is not installed. As root on Debian: apt-get install etcd-server"
#: Failures show within a second or two; the defaults are made for networks with more delay.
SETTINGS: dict[str, Any] = {
    "gossip_lan": {
        "gossip_interval": "100ms",
        "probe_interval": "200ms",
        "probe_timeout": "150ms",
        "suspicion_mult": 3,
    },
    "performance": {"raft_multiplier": 1},
    "autopilot": {"server_stabilization_time": "200ms"},
    "disable_host_node_id": True,
    "disable_update_check": True,
    "retry_interval": "1s",
    "log_level": "info",
}


class Agent:
    """An agent on a machine."""

    def __init__(self, name: str, machine: Machine, folder: Path) -> None:
        self.name, self.machine, self.folder = name, machine, folder
        self.http = folder / "http.sock"
        self.is_on = False

    def power_off(self) -> None:
        """Kill everything on its machine at once."""
        self.machine.power_off()
        self.is_on = False

    def power_on(self) -> None:
        """Switch its machine on, without anything that runs there."""
        self.machine.power_on()
        self.http.unlink(missing_ok=True)
        self.is_on = True

    def ask(self, method: str, target: str, body: Any = None) -> Answer:
        """Send a request to it."""
        return ask(self.http, method, target, body)

    @property
    def state(self) -> str:
        """Return what can be seen of it from outside."""
        return "off" if not self.is_on else "cut off" if self.machine.is_cut else "runs"


class World:
    """Three servers and two client agents.  `has_haproxy`: whether requests go through HAProxy."""

    def __init__(self) -> None:
        if shutil.which("etcd") is None:
            raise CliError(MISSING)
        if len(tempfile.gettempdir()) > MAX_PATH:
            raise CliError(f"the path {tempfile.gettempdir()} is too long for sockets: set TMPDIR to a shorter one")
        self._stack = contextlib.ExitStack()
        self._janitor = self._stack.enter_context(Janitor())
        self.folder = Path(tempfile.mkdtemp(prefix="pyconsul-cluster-"))
        self._janitor.note("folder", self.folder)
        self._network: Network = make_network(len(SERVERS) + len(CLIENTS), self._janitor)
        self.kind = self._network.kind
        self.agents = {
            name: Agent(name, machine, self.folder / name)
            for name, machine in zip((*SERVERS, *CLIENTS), self._network.machines, strict=True)
        }
        self.servers = [self.agents[name] for name in SERVERS]
        self.clients = [self.agents[name] for name in CLIENTS]
        self.has_haproxy = shutil.which("haproxy") is not None
        self.frontend = self.folder / "haproxy.sock"
        self.writer, self.visitor = Writer(self.clients[0].http), Visitor(self.frontend)
        self.lost_writes = 0  # when it was last looked at

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_agents(self) -> None:
        """Start all of them at once, and wait until a write through the first client agent succeeds."""
        for agent in self.agents.values():
            agent.folder.mkdir()
            (agent.folder / "agent.json").write_text(json.dumps(self._settings(agent)))
            self.power_on(agent)
        self.wait("the cluster to form", lambda: self.leader() is not None and self.voters() == set(SERVERS))
        for agent in self.agents.values():
            self.wait(f"a write through {agent.name}", partial(self._writes, agent))

    def _settings(self, agent: Agent) -> dict[str, Any]:
        is_server = agent in self.servers
        ports = {"dns": -1, "serf_wan": -1, **self._network.ports}
        gossip_port = self._network.ports.get("serf_lan", 8301)
        own = {
            "node_name": agent.name,
            "bind_addr": agent.machine.address,
            "data_dir": str(agent.folder / "data"),
            "addresses": {"http": f"unix://{agent.http}"},
            "ports": ports,
            "server": is_server,
            "retry_join": [f"{server.machine.address}:{gossip_port}" for server in self.servers],
        }
        return {**SETTINGS, **own, **({"bootstrap_expect": len(SERVERS)} if is_server else {})}

    def _writes(self, agent: Agent) -> bool:
        return agent.ask("PUT", f"/v1/kv/demo/ready/{agent.name}", b"x").status == 200

    def power_on(self, agent: Agent) -> None:
        """Start a machine with its agent and, on a client, its instance of the service."""
        agent.power_on()
        self._run(agent, "agent", [*module("main"), "agent", "-config-file", str(agent.folder / "agent.json")])
        if agent in self.clients:
            words = [f"web-{agent.name}", agent.machine.address, str(WEB_PORT)]
            self._run(agent, "web", [*module("cluster_demo.instance"), *words])

    def start_service(self) -> None:
        """Register an instance of `web` on each client."""
        for agent in self.clients:
            definition = {
                "ID": f"web-{agent.name}",
                "Name": "web",
                "Address": agent.machine.address,
                "Port": WEB_PORT,
                "Check": {"TCP": f"{agent.machine.address}:{WEB_PORT}", "Interval": "1s", "Status": "passing"},
            }
            agent.ask("PUT", "/v1/agent/service/register", definition)

    def start_haproxy(self) -> None:
        """Let pyconsul-template run HAProxy on the first client, and send requests through it."""
        template = self.folder / "haproxy.tmpl"
        template.write_text(files(__package__).joinpath("haproxy.cfg.j2").read_text())
        program = str(Path(sys.executable).with_name("pyconsul-template"))
        rule = f"{template}:{self.folder}/haproxy.cfg"
        argv = [program, "-template", rule, "-exec-reload", "-log-level=info"]
        client = self.clients[0]
        environment = {"CONSUL_HTTP_ADDR": f"unix://{client.http}", "DEMO_FRONTEND": str(self.frontend)}
        self._run(client, "template", argv, **environment)
        self.wait("HAProxy", lambda: ask(self.frontend, "GET", "/").status == 200)
        self.visitor.start()
        self._stack.callback(self.visitor.stop)

    def start_writer(self) -> None:
        """Write keys without a pause through the first client."""
        self.writer.start()
        self._stack.callback(self.writer.stop)

    def served(self) -> set[str]:
        """Return the instances in the configuration that HAProxy runs with."""
        path = self.folder / "haproxy.cfg"
        text = path.read_text() if path.exists() else ""
        return {f"web-{agent.name}" for agent in self.clients if f"server web-{agent.name} " in text}

    def reachable(self) -> list[Agent]:
        """Return the servers that run and are not cut off."""
        return [server for server in self.servers if server.is_on and not server.machine.is_cut]

    def leader(self) -> Agent | None:
        """Return the server that all reachable ones take for the leader."""
        named = {server.ask("GET", "/v1/status/leader?stale").json for server in self.reachable()}
        if len(named) != 1:
            return None
        address = (named.pop() or "").rpartition(":")[0]
        return next((server for server in self.reachable() if server.machine.address == address), None)

    def voters(self) -> set[str]:
        """Return the names of the servers that vote."""
        found = self.reachable()[0].ask("GET", "/v1/operator/raft/configuration").json or {"Servers": []}
        return {server["Node"] for server in found["Servers"] if server["Voter"]}

    def wait_for_leader(self, *, other_than: Agent | None = None) -> Agent:
        """Return the leader, as soon as all reachable servers agree on one."""
        found: list[Agent] = []
        self.wait("a leader", partial(self._finds_leader, found, other_than))
        return found[0]

    def _finds_leader(self, found: list[Agent], other_than: Agent | None) -> bool:
        leader = self.leader()
        if leader is not None and leader is not other_than:
            found.append(leader)
        return bool(found)

    def wait_for_writes(self, count: int = 20) -> None:
        """Wait until some more writes were acknowledged."""
        goal = len(self.writer.acknowledged) + count
        self.wait("acknowledged writes", lambda: len(self.writer.acknowledged) >= goal)

    def lost(self) -> set[str]:
        """Return the acknowledged writes that any reachable server does not have; `lost_writes` is their number."""
        missing: set[str] = set()
        for server in self.reachable():
            self.wait(f"an answer of {server.name}", partial(self._adds_lost, server, missing))
        self.lost_writes = len(missing)
        return missing

    def _adds_lost(self, server: Agent, missing: set[str]) -> bool:
        with contextlib.suppress(ValueError):
            missing |= self.writer.lost(server.http)
            return True
        return False

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = START_S) -> float:
        """Wait until a condition holds; return the seconds it took.  Raises CliError with the logs when it does not."""
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > seconds:
                raise CliError(f"waited {seconds:.0f} s in vain for {what}\n{self._logs()}")
            time.sleep(0.02)
        return time.monotonic() - started

    def _logs(self) -> str:
        logs = sorted(self.folder.glob("*/*.log"))
        return "\n".join(
            f"--- {path.relative_to(self.folder)}\n{path.read_text(errors='replace')[-1500:]}" for path in logs
        )

    def _run(self, agent: Agent, name: str, argv: Sequence[str], **environment: str) -> None:
        with (agent.folder / f"{name}.log").open("ab") as log:
            # In a new session: Ctrl-C reaches the demonstration only, which then removes its parts.
            process = subprocess.Popen(
                [*agent.machine.launcher, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._janitor.note("process", process.pid)
        agent.machine.started(process.pid)


def module(name: str) -> list[str]:
    """Return the command that starts another part of pyconsul with this interpreter."""
    return [sys.executable, "-m", f"pyconsul.cli.{name}"]
