"""The demonstration with containers: `pyconsul registrator` registers them, and nothing else does."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyconsul.cli.demo.requirements import install
from pyconsul.cli.demo.world import World, program
from pyconsul.cli.errors import CliError
from pyconsul.cli.unix_http import ask

#: Usual sockets of engines, when DOCKER_HOST is not set.
SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
IMAGE = "pyconsul-demo:latest"
PREFIX = "pyconsul-demo-"
_TIMEOUT_S = 60.0
_PORT_ATTEMPTS = 20
#: Serves its name; goes on doing so for a second after SIGTERM. Healthy while there is a file.
_SERVER = """\
mkdir -p /www && echo {name} > /www/index.html && echo fine > /www/health
trap 'sleep 1; exit 0' TERM
httpd -f -p 80 -h /www & while :; do wait; done
"""
_HEALTH = ["CMD", "/bin/wget", "-q", "-O", "-", "http://127.0.0.1/health"]
_PROGRAMS = ("sh", "httpd", "sleep", "wget", "mkdir", "echo", "rm", "touch")


class Engine:
    """A container engine on a unix socket. Raises CliError when none answers."""

    def __init__(self) -> None:
        host = os.environ.get("DOCKER_HOST", "")
        if host and not host.startswith("unix://"):
            raise CliError(f"the demonstration needs an engine on this machine, not DOCKER_HOST={host}")
        found = host.removeprefix("unix://") or next((one for one in SOCKETS if Path(one).exists()), SOCKETS[0])
        self.socket = Path(found)
        answer = ask(self.socket, "GET", "/_ping")
        if answer.status != 200:
            raise CliError(
                f"no container engine answers at {self.socket} (DOCKER_HOST): {answer.body.decode(errors='replace')}"
            )

    def call(self, method: str, target: str, body: Any = None) -> Any:
        """Return the JSON of a request that succeeds, None where there is none. Raises CliError."""
        answer = ask(self.socket, method, target, body, _TIMEOUT_S)
        if not 0 < answer.status < 400:
            raise CliError(f"{method} {target}: {answer.status} {answer.body.decode(errors='replace').strip()[:300]}")
        return json.loads(answer.body) if answer.body.startswith((b"{", b"[")) and b"\n{" not in answer.body else None

    def make_image(self) -> None:
        """Import an image of one static program; nothing is downloaded."""
        path = shutil.which("busybox")
        if path is None:
            raise CliError("the demonstration needs busybox. As root on Debian: apt-get install busybox-static")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(os.path.realpath(path), "bin/busybox")
            for name in _PROGRAMS:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        name, _, tag = IMAGE.partition(":")
        self.call("POST", f"/images/create?fromSrc=-&repo={name}&tag={tag}", packed.getvalue())


class Container:
    """A web server in a container: one instance of the demonstration's service."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._container = f"{PREFIX}{name}"
        # Its registration is made from these settings alone.
        env = ["SERVICE_NAME=web", f"SERVICE_ID={name}"]
        body = {
            "Image": IMAGE,
            "Cmd": ["/bin/sh", "-c", _SERVER.format(name=name)],
            "Env": env,
            "ExposedPorts": {"80/tcp": {}},
            "Healthcheck": {"Test": _HEALTH, "Interval": 10**9, "Timeout": 10**9, "Retries": 1},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
        }
        engine.call("POST", f"/containers/create?name={self._container}", body)
        self._start()
        ports = engine.call("GET", f"/containers/{self._container}/json")["NetworkSettings"]["Ports"]
        self.port = int(ports["80/tcp"][0]["HostPort"])

    def _start(self) -> None:
        """Start it. A random port that another program has is tried again: the engine takes another one."""
        for attempt in range(_PORT_ATTEMPTS):
            try:
                self._engine.call("POST", f"/containers/{self._container}/start")
                return
            except CliError as error:
                if "already in use" not in str(error) or attempt == _PORT_ATTEMPTS - 1:
                    raise

    def set_health(self, healthy: bool) -> None:
        """Let its HEALTHCHECK pass or fail from now on."""
        command = ["/bin/touch" if healthy else "/bin/rm", "/www/health"]
        made = self._engine.call("POST", f"/containers/{self._container}/exec", {"Cmd": command})
        self._engine.call("POST", f"/exec/{made['Id']}/start", {"Detach": True})

    def remove(self) -> None:
        """End and forget it."""
        ask(self._engine.socket, "DELETE", f"/containers/{self._container}?force=1", timeout=_TIMEOUT_S)


class ContainerWorld(World):
    """The world whose web servers are containers."""

    kind = "containers, registered by pyconsul registrator, with their HEALTHCHECK every second"

    def __init__(self, note: Callable[[str], None]) -> None:
        install("busybox", "busybox-static", note)
        self._engine = Engine()
        super().__init__()

    def start_backends(self, count: int = 3) -> None:
        """Start registrator, and so many containers."""
        self._engine.make_image()
        self._stack.callback(ask, self._engine.socket, "DELETE", f"/images/{IMAGE}?force=1", timeout=_TIMEOUT_S)
        argv = [*program("main"), "registrator", f"consul://127.0.0.1:{self.http}"]
        self._run("registrator", argv, DOCKER_HOST=f"unix://{self._engine.socket}")
        super().start_backends(count)
        # Until its first HEALTHCHECK a container gets no requests.
        self.wait("healthy containers", lambda: len(self.ask("GET", "/v1/health/service/web?passing") or ()) == count)

    def add_backend(self, name: str) -> None:
        """Start a container."""
        ask(self._engine.socket, "DELETE", f"/containers/{PREFIX}{name}?force=1")  # of a demonstration that was killed
        container = Container(self._engine, name)
        self._stack.callback(container.remove)
        self.backends[name] = container

    def retire_backend(self, name: str) -> str:
        """Drain and stop a container, as people would; return the command."""
        words = ["registrator", "drain", f"{PREFIX}{name}", "-wait", "1s", "-stop"]
        environ = {
            **os.environ,
            "CONSUL_HTTP_ADDR": f"127.0.0.1:{self.http}",
            "DOCKER_HOST": f"unix://{self._engine.socket}",
        }
        done = subprocess.run(
            [*program("main"), *words], env=environ, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise CliError(f"pyconsul {' '.join(words)}: {done.stderr.strip()}")
        return f"pyconsul {' '.join(words)}"
