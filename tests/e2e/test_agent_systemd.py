"""The agent as a service manager and a script see it: readiness, reloads, signs of life, status, and signals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import PROGRAM, STOPPED
from support.ports import free_ports

TIMEOUT_S = 30
#: A shell ignores SIGINT in what a script starts with &.
_LIKE_A_SCRIPT = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")


class ServiceManager:
    """Starts an agent as systemd starts a unit with `Type=notify` and `WatchdogSec=`."""

    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(TIMEOUT_S)
        self.http, self.dns, self.lan, server = free_ports(4)
        self.config = folder / "agent.json"
        self.config.write_text(
            json.dumps(
                {"ports": {"http": self.http, "dns": self.dns, "serf_lan": self.lan, "serf_wan": -1, "server": server}}
            )
        )
        self.log = folder / "log"
        environ = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "100000"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_LIKE_A_SCRIPT, *PROGRAM, "agent", "-dev", "-node=here", f"-config-file={self.config}"],
                env=environ,
                stdout=log,
            )

    def next(self, *, signs_of_life: bool = False) -> str:
        """Return the next message; signs of life only when asked for."""
        while True:
            message = self.socket.recv(4096).decode()
            if signs_of_life or message != "WATCHDOG=1":
                return message

    def close(self) -> None:
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    made = ServiceManager(tmp_path)
    yield made
    made.close()


def test_the_life_of_a_unit(manager: ServiceManager) -> None:
    status = manager.next()
    assert status.startswith("STATUS=mode=development node=here dc=dc1 ")
    assert manager.next() == "READY=1"
    # It serves when it says so.
    connection = http.client.HTTPConnection("127.0.0.1", manager.http, timeout=TIMEOUT_S)
    connection.request("GET", "/v1/status/leader")
    assert connection.getresponse().status == 200
    connection.close()
    assert manager.next(signs_of_life=True) == "WATCHDOG=1"

    manager.process.send_signal(signal.SIGHUP)
    assert manager.next().startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert manager.next() == "READY=1"
    # A reload that fails ends, too.
    manager.config.write_text("{")
    manager.process.send_signal(signal.SIGHUP)
    assert manager.next().startswith("RELOADING=1\n")
    assert manager.next() == "READY=1"

    # Started in the background by a script, SIGINT was ignored when the program began.
    manager.process.send_signal(signal.SIGINT)
    assert manager.next() == "STOPPING=1"
    assert manager.process.wait(TIMEOUT_S) == STOPPED
    (line,) = (line for line in manager.log.read_text().splitlines() if "Agent started" in line)
    assert line.partition("Agent started: ")[2].split() == [
        "mode=development", "node=here", "dc=dc1", f"http=127.0.0.1:{manager.http}",
        f"dns=127.0.0.1:{manager.dns}", f"gossip=127.0.0.1:{manager.lan}", "data=memory",
    ]  # fmt: skip
