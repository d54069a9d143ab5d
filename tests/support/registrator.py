"""`pyconsul registrator` as a process, and containers that serve a page, for end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.agent_process import AgentProcess
from support.container_engine import IMAGE, ContainerEngine
from support.eventually import eventually

PYCONSUL = str(Path(sys.executable).with_name("pyconsul"))
# Serves its name, and goes on doing so for a second after SIGTERM; healthy while there is a file.
SERVER = """\
mkdir -p /www /tmp; echo {name} > /www/index.html; touch /tmp/healthy
trap 'sleep 1; exit 0' TERM
httpd -f -p 80 -h /www & while :; do wait; done
"""
HEALTHY = ["CMD-SHELL", "test -f /tmp/healthy && echo fine"]


class Registrator:
    """A running registrator."""

    def __init__(
        self, folder: Path, engine: str, uri: str, *flags: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self.argv = [PYCONSUL, "registrator", *flags, uri]
        self.log_file = folder / "registrator.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONSUL_", "DOCKER_"))}
        self.environ = {**clean, "DOCKER_HOST": engine, **(environ or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Registrator:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environ, start_new_session=True
            )
        return self

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(20)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


def create(
    engine: ContainerEngine,
    name: str,
    *,
    ports: Iterable[str] = (),
    env: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    command: Sequence[str] = ("/bin/sleep", "100000"),
    health: Sequence[str] = (),
    restart: str = "",
    **host: Any,
) -> None:
    """Create a container; `ports` as 80, 8080:80, 127.0.0.1:8080:80 or 53/udp."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        left, _, protocol = port.partition("/")
        address, _, inside = left.rpartition(":")
        ip, _, number = address.rpartition(":")
        bindings.setdefault(f"{inside}/{protocol or 'tcp'}", []).append({"HostIp": ip, "HostPort": number})
    body: dict[str, Any] = {
        "Image": IMAGE,
        "Cmd": list(command),
        "Env": list(env),
        "Labels": dict(labels or {}),
        "ExposedPorts": {port: {} for port in bindings},
        "HostConfig": {"PortBindings": bindings, "RestartPolicy": {"Name": restart}, **host},
    }
    if health:
        body["Healthcheck"] = {"Test": list(health), "Interval": 300_000_000, "Timeout": 5_000_000_000, "Retries": 1}
    engine.done("POST", f"/containers/create?name={name}", body)


def start(engine: ContainerEngine, name: str) -> None:
    """Start a container; a random port that another program has is tried again with another one."""
    for _ in range(20):
        status, data = engine.request("POST", f"/containers/{name}/start")
        if status < 300:
            return
        if b"already in use" not in data:
            break
    raise RuntimeError(f"start {name}: {status} {data[:300]!r}")


def serve(engine: ContainerEngine, name: str, **fields: Any) -> None:
    """Start a container that serves its name on a published port of 127.0.0.1."""
    command = ["/bin/sh", "-c", SERVER.format(name=name)]
    create(engine, name, **{"ports": ["127.0.0.1::80"], "command": command, "health": HEALTHY, **fields})
    start(engine, name)


def execute(engine: ContainerEngine, name: str, *command: str) -> None:
    """Run a program in a container."""
    made = json.loads(engine.done("POST", f"/containers/{name}/exec", {"Cmd": list(command), "AttachStdout": True}))
    engine.done("POST", f"/exec/{made['Id']}/start", {"Detach": False})


def running(engine: ContainerEngine) -> dict[str, dict[str, Any]]:
    """Return the running containers, by name."""
    return {one["Names"][0][1:]: one for one in json.loads(engine.done("GET", "/containers/json"))}


def registered(agent: AgentProcess) -> dict[str, tuple[str, int]]:
    """Return the address and port of each service of the agent, by ID."""
    return {key: (one["Address"], one["Port"]) for key, one in agent.get("/v1/agent/services").items()}


def expected(engine: ContainerEngine, host: str) -> dict[str, tuple[str, int]]:
    """Return what should be registered: the published ports of the running containers."""
    return {
        f"{host}:{name}:{port['PrivatePort']}": (port["IP"], port["PublicPort"])
        for name, one in running(engine).items()
        for port in one["Ports"]
        if "PublicPort" in port
    }


def agree(engine: ContainerEngine, agent: AgentProcess, host: str, registrator: Registrator) -> None:
    """Wait until the agent has what the engine runs."""
    eventually(
        lambda: registered(agent) == expected(engine, host),
        lambda: f"{registered(agent)}\n!= {expected(engine, host)}\n{registrator.log()[-3000:]}",
    )
