"""A real agent as a process of its own, on free ports, for end-to-end tests and benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from support.eventually import eventually
from support.ports import free_ports

PROGRAM = [sys.executable, "-m", "pyconsul.cli.main"]
# Runs any test against another kind of agent: PYCONSUL_AGAINST=client (or follower) pytest tests/e2e/…
AGAINST = os.environ.get("PYCONSUL_AGAINST", "")
IN_CLUSTER = [sys.executable, str(Path(__file__).with_name("client_of_cluster.py"))]
START = 60 if os.environ.get("PYCONSUL_AGAINST") else 20  # seconds an agent gets to answer
STOP = 10  # seconds it gets to end
STOPPED = 1  # exit status of a server after SIGTERM, as Consul's


class AgentProcess:
    """A `pyconsul agent`; `-dev` unless it is given a data folder."""

    def __init__(
        self,
        folder: Path,
        data_dir: Path | None = None,
        *,
        launcher: Sequence[str] = (),
        against: str = AGAINST,
        **config: Any,
    ) -> None:
        """`launcher`: the program, with its arguments, that runs the agent.  A setting that is None is left out.

        against: "client" or "follower" makes it a client agent, or a server that follows, of a second server.
        """
        self.folder = folder
        self.http_port, self.dns_port, self.lan_port, self.rpc_port = free_ports(4)
        self.address = f"127.0.0.1:{self.http_port}"
        ports = {
            "http": self.http_port,
            "dns": self.dns_port,
            "server": self.rpc_port,
            "serf_lan": self.lan_port,
            "serf_wan": -1,
        }
        settings = {"node_name": "n1", "bind_addr": "127.0.0.1", "ports": ports, "log_level": "info", **config}
        if data_dir is not None:
            settings = {"data_dir": str(data_dir), "server": True, "bootstrap_expect": 1, **settings}
        self.config_file = folder / "agent.json"
        self.config_file.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}))
        self.argv = [
            *launcher,
            *([*IN_CLUSTER, against] if against else PROGRAM),
            "agent",
            *([] if data_dir else ["-dev"]),
            "-config-file",
            str(self.config_file),
        ]
        self.log_file = folder / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> AgentProcess:
        """Start it, and wait until it answers."""
        self.launch()
        return self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_until_ready(self) -> AgentProcess:
        """Wait until it answers."""
        assert self.process is not None
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                status, _, leader = self.request("GET", "/v1/status/leader")
                if status == 200 and len(leader) > len(b'""'):
                    return self
            time.sleep(0.02)
        raise RuntimeError(f"the agent did not start: {self.log()[-2000:]}")

    def log(self) -> str:
        """What it has logged up to now."""
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        """Wait until it has logged a text."""
        eventually(lambda: text in self.log(), self.log)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 30
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower-case names) and body of one request; a body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = self._connection(timeout)
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)

    def get(self, path: str) -> Any:
        """Return the JSON of a GET that succeeds."""
        status, _, body = self.request("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def put(self, path: str, body: Any = None) -> Any:
        """Return the JSON (or None) of a PUT that succeeds."""
        status, _, data = self.request("PUT", path, body)
        if status != 200:
            raise RuntimeError(f"PUT {path}: {status} {data[:300]!r}")
        return json.loads(data) if data else None

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"the agent did not stop: {self.log()[-2000:]}") from None
        return self.process.returncode


class StartAgent(Protocol):
    """Starts an agent; `durable`: with a data folder, instead of in -dev mode."""

    def __call__(self, durable: bool = False, **settings: Any) -> AgentProcess: ...


@contextlib.contextmanager
def running_agent(**config: Any) -> Iterator[AgentProcess]:
    """A dev agent for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="pyconsul-") as folder:
        agent = AgentProcess(Path(folder), **config)
        try:
            yield agent.start()
        finally:
            agent.stop()
