"""An agent for tests of the tools, which write keys and services and end it now and then."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from support.agent_process import AgentProcess
from support.eventually import PATIENCE


class ToolAgent:
    """A running agent in -dev mode, always on the same ports.  `token`: for the requests of the test."""

    def __init__(self, folder: Path, token: str = "", **settings: Any) -> None:
        self._token = token
        self._agent = AgentProcess(folder, **{"log_level": "warn", **settings})
        self.address = self._agent.address
        self.port = self._agent.http_port
        self.start()

    def start(self) -> None:
        self._agent.start()

    def stop(self) -> None:
        self._agent.stop()

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of a response; raises OSError for an error."""
        headers = {"X-Consul-Token": self._token} if self._token else {}
        request = urllib.request.Request(f"http://{self.address}{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return bytes(response.read())

    def put(self, key: str, value: str) -> None:
        """Write a key."""
        self.request("PUT", f"/v1/kv/{key}", value.encode())

    def register(self, **service: Any) -> None:
        """Register a service at the agent."""
        self.request("PUT", "/v1/agent/service/register", json.dumps(service).encode())

    def deregister(self, service: str) -> None:
        """Deregister it."""
        self.request("PUT", f"/v1/agent/service/deregister/{service}", b"")
