"""Machines for tests: network namespaces on a switch. Cables can be cut, packets lost, addresses changed.

The switch is a namespace with two bridges, `lan` and `dark`; each machine has one cable to it. All names begin with the ID of the
test's process, and nothing but the namespaces themselves is visible outside of them, so that tests can run side by side with
equal addresses.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable

import pytest

NETWORK = "10.77.0"
LAN, DARK = "lan", "dark"
_TABLE = "inet faults"
_numbers = itertools.count()


def require_namespaces() -> None:
    """Skip the test, with the reason, where no machines can be made."""
    missing = [program for program in ("ip", "nft") if shutil.which(program) is None]
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root: run the tests as root")
    if missing:
        pytest.skip(f"missing {' and '.join(missing)}: install Debian's iproute2 and nftables")
    name = f"pc{os.getpid()}-try"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this system makes no network namespaces: {done.stderr.strip()}")
    _run("ip", "netns", "del", name)


class Machine:
    """One machine of a network: a namespace with the interface `eth0`."""

    def __init__(self, network: Network, number: int) -> None:
        self._network = network
        self.port = f"port{number}"
        self.namespace = f"{network.name}-{number}"
        self.address = ""
        _run("ip", "netns", "add", self.namespace)
        _run(
            *("ip", "-n", network.switch, "link", "add", self.port, "up", "type", "veth"),
            *("peer", "name", "eth0", "netns", self.namespace),
        )
        self.plug_in()
        for interface in ("lo", "eth0"):
            _run("ip", "-n", self.namespace, "link", "set", interface, "up")
        self.set_address(f"{NETWORK}.{number}")

    @property
    def launcher(self) -> tuple[str, ...]:
        """The beginning of a command that runs on this machine."""
        return ("ip", "netns", "exec", self.namespace)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program on this machine; returns its standard output."""
        return _run(*self.launcher, *argv, check=check)

    def processes(self) -> list[int]:
        """Return the process IDs of everything that runs on this machine."""
        return [int(pid) for pid in _run("ip", "netns", "pids", self.namespace).split()]

    def power_off(self) -> None:
        """Kill everything that runs on this machine at once; those who talked to it hear nothing more."""
        self.plug_in(DARK)
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def plug_in(self, bridge: str = LAN) -> None:
        """Put the cable into a bridge of the switch; machines reach those on the same bridge."""
        _run("ip", "-n", self._network.switch, "link", "set", self.port, "master", bridge)

    def set_address(self, address: str) -> None:
        """Give this machine another address."""
        _run("ip", "-n", self.namespace, "addr", "flush", "dev", "eth0")
        _run("ip", "-n", self.namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        self.address = address

    def lose(self, percent: int = 100, *, source: str = "", protocol: str = "") -> None:
        """Drop incoming packets: a share of them, of one sender or of all, of one protocol (`udp`, `tcp`) or of all."""
        matches = [f"ip saddr {source}" if source else "", f"meta l4proto {protocol}" if protocol else ""]
        share = f"numgen random mod 100 < {percent}" if percent < 100 else ""
        rule = " ".join(filter(None, ['iifname "eth0"', *matches, share, "drop"]))
        chain = f"add table {_TABLE}; add chain {_TABLE} input {{ type filter hook input priority 0; policy accept; }}"
        _run(*self.launcher, "nft", f"{chain}; add rule {_TABLE} input {rule}")

    def lose_nothing(self) -> None:
        """Let all packets in again."""
        self.run("nft", f"delete table {_TABLE}", check=False)


class Network:
    """A switch with machines, which have the addresses 10.77.0.1, 10.77.0.2, …"""

    def __init__(self, machines: int) -> None:
        self.name = f"pc{os.getpid()}-{next(_numbers)}"
        self.switch = f"{self.name}-switch"
        self.machines: list[Machine] = []
        try:
            _run("ip", "netns", "add", self.switch)
            for bridge in (LAN, DARK):
                _run("ip", "-n", self.switch, "link", "add", bridge, "up", "type", "bridge")
            self.machines += [Machine(self, number) for number in range(1, machines + 1)]
        except BaseException:
            self.close()
            raise

    def cut(self, machines: Iterable[Machine]) -> None:
        """Cut some machines off the others; they go on reaching each other."""
        for machine in machines:
            machine.plug_in(DARK)

    def heal(self) -> None:
        """Let all machines reach each other again, without loss."""
        for machine in self.machines:
            machine.plug_in()
            machine.lose_nothing()

    def close(self) -> None:
        """Remove everything. Programs that still run lose their network only."""
        for namespace in _run("ip", "netns", "list").split():
            if namespace.startswith(f"{self.name}-"):
                _run("ip", "netns", "del", namespace, check=False)


def _run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
