"""An agent on a machine of a test network. Its HTTP API is a unix socket, which the test reaches from its own namespace."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.network import Machine
from support.agent_process import AgentProcess

#: What -dev sets: failures show after some tenths of a second.
FAST = {"gossip_interval": "100ms", "probe_interval": "100ms", "probe_timeout": "100ms", "suspicion_mult": 3}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class MachineAgent(AgentProcess):
    """An agent with a data folder, alone on its machine and so on the default ports; a single server by default."""

    def __init__(
        self, machine: Machine, folder: Path, name: str, *, launcher: Sequence[str] = (), **config: Any
    ) -> None:
        folder.mkdir(exist_ok=True, parents=True)
        self.machine, self.name = machine, name
        self._socket = folder / "http.sock"
        settings: dict[str, Any] = {
            "node_name": name,
            "bind_addr": machine.address,
            "ports": {"dns": -1, "serf_wan": -1},
            "addresses": {"http": f"unix://{self._socket}"},
            "retry_interval": "1s",
            "disable_host_node_id": True,
            **config,
        }
        super().__init__(folder, folder / "data", launcher=(*machine.launcher, *launcher), **settings)

    def change_settings(self, **settings: Any) -> None:
        """Change the settings file; the next start reads it."""
        self.config_file.write_text(json.dumps({**json.loads(self.config_file.read_text()), **settings}))

    @property
    def is_running(self) -> bool:
        """Return whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def power_off(self) -> None:
        """Switch its machine off; `start` switches it on again."""
        self.machine.power_off()
        if self.process is not None:
            self.process.wait()

    def launch(self) -> None:
        """Start it without waiting."""
        self.machine.plug_in()
        self._socket.unlink(missing_ok=True)
        super().launch()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        return UnixConnection(self._socket, timeout)

    def members(self) -> dict[str, int]:
        """The status of each member, as this agent sees it: 1 alive, 2 leaving, 3 left, 4 failed."""
        return {member["Name"]: member["Status"] for member in self.get("/v1/agent/members")}

    def sees(self, members: dict[str, int]) -> bool:
        """Return whether this agent sees these members with these statuses."""
        return members.items() <= self.members().items()

    def address_of(self, name: str) -> str:
        """The gossip address of a member."""
        return next(str(member["Addr"]) for member in self.get("/v1/agent/members") if member["Name"] == name)
