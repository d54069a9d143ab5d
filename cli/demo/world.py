"""Everything that runs in the demonstration: started in order, and all of it gone at the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from pyconsul.cli.demo.backend import Backend
from pyconsul.cli.demo.traffic import Traffic
from pyconsul.cli.errors import CliError

START = 20.0  # time for each part to start
STOP = 8.0  # seconds that each part gets to end
#: Log messages of pyconsul-template.
RELOADED, CHANGED_AT_RUNTIME = "haproxy has loaded the new configuration", "haproxy has been changed without a reload"
#: Below the system's range for outgoing connections, which could take a port between its choice and its use.
OTHER_PORTS = range(10240, 32768)
ATTEMPTS = 20
PREFERRED = {"http": 8500, "dns": 8600, "frontend": 8080}


def pick_port(preferred: int) -> int:
    """Return the preferred port when it is free for TCP and UDP, else another one."""
    for port in (preferred, *random.sample(OTHER_PORTS, ATTEMPTS)):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port
    raise CliError("no free port on 127.0.0.1")


class Instance(Protocol):
    """A web server: one instance of the demonstration's service."""

    name: str
    port: int

    def set_health(self, healthy: bool) -> None:
        """Let its check pass or fail from now on."""
        ...


class World:
    """A dev agent, web servers, HAProxy through pyconsul-template, and a client that never stops asking."""

    #: What the instances are, for the tour.
    kind = "instances of `web` are registered, each with an HTTP check every second"

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pyconsul-demo-")))
        self.http, self.dns, self.frontend = (pick_port(port) for port in PREFERRED.values())
        self.template, self.config = self.folder / "haproxy.tmpl", self.folder / "haproxy.cfg"
        self.tool_log = self.folder / "template.log"
        self.backends: dict[str, Instance] = {}
        self.traffic = Traffic(self.frontend)
        self._tool: subprocess.Popen[bytes]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_agent(self) -> None:
        ports = {"http": self.http, "dns": self.dns, "serf_lan": -1, "serf_wan": -1, "server": pick_port(8300)}
        settings = {"node_name": "demo", "log_level": "warn", "ports": ports}
        (self.folder / "agent.json").write_text(json.dumps(settings))
        self._run("agent", [*program("main"), "agent", "-dev", "-config-file", str(self.folder / "agent.json")])
        self.wait("the agent", lambda: bool(self.ask("GET", "/v1/catalog/nodes")))

    def start_backends(self, count: int = 3) -> None:
        for number in range(1, count + 1):
            self.add_backend(f"web-{number}")

    def add_backend(self, name: str) -> None:
        backend = Backend(name)
        self._stack.callback(backend.close)
        self.backends[name] = backend
        self.ask("PUT", "/v1/agent/service/register", backend.definition())

    def retire_backend(self, name: str) -> str:
        """Take an instance away in order; return the command, "" when there is none for it."""
        return ""

    def start_template(self) -> None:
        self.template.write_text(files("pyconsul.cli.demo").joinpath("haproxy.cfg.j2").read_text())
        rule = f"{self.template}:{self.config}"
        argv = [
            str(Path(sys.executable).with_name("pyconsul-template")),
            "-template",
            rule,
            "-exec-reload",
            "-log-level=info",
        ]
        self._tool = self._run("template", argv, DEMO_FRONTEND=f"127.0.0.1:{self.frontend}")
        self.wait("HAProxy", lambda: _answers(self.frontend))
        self.traffic.start()
        self._stack.callback(self.traffic.stop)

    def change_template(self, text: str) -> None:
        """Edit the template, and have pyconsul-template read it again."""
        self.template.write_text(text)
        self._tool.send_signal(signal.SIGHUP)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of a request to the agent; None where it answers nothing, or does not answer at all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=5)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            data = connection.getresponse().read()
            return json.loads(data) if data else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def served_by_haproxy(self) -> set[str]:
        """Return the names of the instances in the configuration that HAProxy runs with."""
        text = self.config.read_text() if self.config.exists() else ""
        return {name for name, backend in self.backends.items() if f":{backend.port}\n" in text + "\n"}

    def reloads(self) -> int:
        """Return how often HAProxy has loaded another configuration file."""
        return self._log_lines(RELOADED)

    def runtime_changes(self) -> int:
        """Return how often HAProxy has been changed over its runtime API, without a reload."""
        return self._log_lines(CHANGED_AT_RUNTIME)

    def _log_lines(self, text: str) -> int:
        return self.tool_log.read_text(errors="replace").count(text) if self.tool_log.exists() else 0

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = START) -> float:
        """Wait until a condition holds; return the seconds it took.

        Raises CliError with the logs when it does not hold in time, or a part of the demonstration has ended.
        """
        started = time.monotonic()
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise CliError(f"{name} exited with status {process.returncode}\n{self._logs()}")
            if time.monotonic() - started > seconds:
                raise CliError(f"waited {seconds:.0f} s in vain for {what}\n{self._logs()}")
            time.sleep(0.05)
        return time.monotonic() - started

    def _logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.log"))
        )

    def _run(self, name: str, argv: list[str], **environment: str) -> subprocess.Popen[bytes]:
        variables = {**os.environ, "CONSUL_HTTP_ADDR": f"127.0.0.1:{self.http}", **environment}
        log = self._stack.enter_context((self.folder / f"{name}.log").open("wb"))
        # In a new session: Ctrl-C reaches the demonstration only, which then stops its parts in order.
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=variables, start_new_session=True)
        self._stack.callback(_end, process)
        self._processes[name] = process
        return process


def program(module: str) -> list[str]:
    """Return the command that starts another part of pyconsul with this interpreter."""
    return [sys.executable, "-m", f"pyconsul.cli.{module}"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
