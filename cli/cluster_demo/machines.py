"""The machines of the demonstration: network namespaces on a switch for root, loopback addresses for everybody else."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Protocol

from pyconsul.cli.cluster_demo.janitor import Janitor, family, output
from pyconsul.cli.errors import CliError

NETWORK = "10.78.0"
LOOPBACK = "127.0.78"
PORTS = ("server", "serf_lan")
FIRST_PORT, TRIES = 21300, 50


class Machine(Protocol):
    """One machine.  address: of its agent.  is_cut: it cannot be reached now."""

    address: str
    is_cut: bool

    @property
    def launcher(self) -> Sequence[str]:
        """Return the beginning of a command that runs there."""

    def started(self, pid: int) -> None:
        """Take note of a process that runs there."""

    def power_off(self) -> None:
        """Kill everything that runs there at once, without a last word."""

    def power_on(self) -> None:
        """Let the machine be reached again."""

    def cut(self) -> None:
        """Cut it off the others; its processes go on."""

    def mend(self) -> None:
        """Undo `cut`."""


class Network(Protocol):
    """machines: all of them.  kind: what they are, for the user.  ports: settings that let agents use them."""

    machines: Sequence[Machine]
    kind: str
    ports: dict[str, int]


class Namespace:
    """A network namespace with a cable to a switch."""

    def __init__(self, switch: str, number: int, janitor: Janitor) -> None:
        self._switch, self._port = switch, f"port{number}"
        self.name, self.address = f"{switch}-{number}", f"{NETWORK}.{number}"
        self.is_cut = False
        janitor.note("namespace", self.name)
        run("ip", "netns", "add", self.name)
        run(*("ip", "-n", switch, "link", "add", self._port, "up", "type", "veth"),
            *("peer", "name", "eth0", "netns", self.name))  # fmt: skip
        run("ip", "-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for interface in ("lo", "eth0"):
            run("ip", "-n", self.name, "link", "set", interface, "up")
        self.mend()

    @property
    def launcher(self) -> Sequence[str]:
        """Return the beginning of a command that runs there."""
        return ("ip", "netns", "exec", self.name)

    def started(self, pid: int) -> None:
        """Do nothing: the system knows what runs in a namespace."""

    def power_off(self) -> None:
        """Kill everything that runs there at once, without a last word."""
        self.cut()
        while pids := output("ip", "netns", "pids", self.name).split():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.01)

    def power_on(self) -> None:
        """Let the machine be reached again."""
        self.mend()

    def cut(self) -> None:
        """Take the cable out of the switch."""
        run("ip", "-n", self._switch, "link", "set", self._port, "nomaster")
        self.is_cut = True

    def mend(self) -> None:
        """Put the cable into the switch."""
        run("ip", "-n", self._switch, "link", "set", self._port, "master", "lan")
        self.is_cut = False


class Namespaces:
    """Machines on a switch, with addresses that are not visible from outside."""

    kind = "network namespaces"

    def __init__(self, count: int, janitor: Janitor) -> None:
        self.ports: dict[str, int] = {}
        switch = f"pyconsul-demo-{os.getpid()}"
        janitor.note("namespace", switch)
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "lan", "up", "type", "bridge")
        self.machines: Sequence[Machine] = [Namespace(switch, number, janitor) for number in range(1, count + 1)]


class Address:
    """A loopback address in place of a machine.  Its processes are stopped in place of a cable that is cut."""

    def __init__(self, number: int) -> None:
        self.address = f"{LOOPBACK}.{number}"
        self.is_cut = False
        self._processes: list[int] = []

    @property
    def launcher(self) -> Sequence[str]:
        """Return the beginning of a command that runs there: nothing."""
        return ()

    def started(self, pid: int) -> None:
        """Take note of a process that runs there."""
        self._processes.append(pid)

    def power_off(self) -> None:
        """Kill everything that was started there."""
        self._signal(signal.SIGKILL)
        self._processes.clear()

    def power_on(self) -> None:
        """Do nothing: an address is always there."""

    def cut(self) -> None:
        """Stop the processes: they neither hear nor say anything."""
        self._signal(signal.SIGSTOP)
        self.is_cut = True

    def mend(self) -> None:
        """Let the processes go on."""
        self._signal(signal.SIGCONT)
        self.is_cut = False

    def _signal(self, number: int) -> None:
        for process in self._processes:
            for pid in family(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)


class Addresses:
    """Loopback addresses, with ports that are free on each of them."""

    kind = "loopback addresses"

    def __init__(self, count: int) -> None:
        self.machines: Sequence[Machine] = [Address(number) for number in range(1, count + 1)]
        addresses = [machine.address for machine in self.machines]
        for first in range(FIRST_PORT, FIRST_PORT + TRIES * len(PORTS), len(PORTS)):
            self.ports = {name: first + at for at, name in enumerate(PORTS)}
            if all(_is_free(address, port) for address in addresses for port in self.ports.values()):
                return
        raise CliError(f"no free ports from {FIRST_PORT} on for {addresses[0]} to {addresses[-1]}")


def make_network(count: int, janitor: Janitor) -> Network:
    """Return as many machines as wanted: namespaces where this process may make them, else addresses."""
    if os.geteuid() == 0 and shutil.which("ip"):
        with contextlib.suppress(CliError):
            return Namespaces(count, janitor)
    return Addresses(count)


def run(*argv: str) -> None:
    """Run a program.  Raises CliError with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CliError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")


def _is_free(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind((address, port))
        udp.bind((address, port))
        return True
    return False
