"""A real agent that can be ended and started again, pyconsul-template as a program, and small web servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually
from support.tool_agent import ToolAgent as Agent

BIN = Path(sys.executable).parent


class Tool:
    """A running pyconsul-template in a folder of its own."""

    def __init__(self, folder: Path, address: str, *arguments: str, environ: Mapping[str, str]) -> None:
        self.folder = folder
        earlier = len(list(folder.glob("stderr*")))
        self._log = folder / f"stderr{earlier or ''}"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(BIN / "pyconsul-template"), *arguments],
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    "CONSUL_HTTP_ADDR": address,
                    **environ,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def text(self, name: str) -> str | None:
        """A file's text, or None."""
        path = self.folder / name
        return path.read_text() if path.exists() else None

    def shows(self, name: str, text: str) -> None:
        """Wait until the file has this text."""
        eventually(lambda: self._is_alive() and self.text(name) == text)

    def said(self, words: str) -> bool:
        """Return whether stderr has these words."""
        return self._is_alive() and words in self._log.read_text()

    @property
    def stderr(self) -> str:
        return self._log.read_text()

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, f"the tool has ended: {self.stderr}"
        return True

    def end(self, sig: int = signal.SIGINT) -> int:
        self.process.send_signal(sig)
        return self.process.wait(PATIENCE)


class WebServer:
    """Answers every request with its name; `/health` with a status that can be changed."""

    def __init__(self, name: str) -> None:
        self.healthy = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(503 if self.path == "/health" and not server.healthy else 200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    running = Agent(tmp_path_factory.mktemp("agent"))
    yield running
    running.stop()


@pytest.fixture
def own_agent(tmp_path: Path) -> Iterator[Agent]:
    """An agent that the test may end."""
    folder = tmp_path / "agent"
    folder.mkdir()
    running = Agent(folder)
    yield running
    running.stop()


@pytest.fixture
def special_agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Starts an agent with settings of its own; it is gone after the test."""
    agents: list[Agent] = []

    def start(token: str = "", **settings: Any) -> Agent:
        folder = tmp_path / f"agent{len(agents)}"
        folder.mkdir()
        agents.append(Agent(folder, token, **settings))
        return agents[-1]

    yield start
    for running in agents:
        running.stop()


@pytest.fixture
def state_folder() -> Iterator[Path]:
    """Where the tool keeps HAProxy's socket, whose path must be short."""
    with tempfile.TemporaryDirectory(prefix="pct-") as folder:
        yield Path(folder)


@pytest.fixture
def template(tmp_path: Path, state_folder: Path) -> Iterator[Callable[..., Tool]]:
    """Starts the tool, with files written before; it is gone after the test."""
    tools: list[Tool] = []

    def start(agent: Agent, *arguments: str, environ: Mapping[str, str] | None = None, **files: str) -> Tool:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        tools.append(
            Tool(
                tmp_path, agent.address, *arguments, environ={"RUNTIME_DIRECTORY": str(state_folder), **(environ or {})}
            )
        )
        return tools[-1]

    yield start
    for tool in tools:
        if tool.process.poll() is None:
            tool.process.terminate()  # HAProxy would outlive SIGKILL
            tool.process.wait(PATIENCE)


@pytest.fixture
def web_server() -> Iterator[Callable[[str], WebServer]]:
    servers: list[WebServer] = []

    def start(name: str) -> WebServer:
        servers.append(WebServer(name))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
