"""Debian's `serf agent` on a loopback address."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from support.eventually import eventually
from support.ports import free_port

needs_serf = pytest.mark.skipif(shutil.which("serf") is None, reason="serf is not installed (Debian package `serf`)")


class SerfAgent:
    """One agent; what it hears of user events goes to `events`."""

    def __init__(self, folder: Path, name: str, address: str, port: int, *, key: bytes = b"", join: str = "") -> None:
        """`join`: an address to join at the start."""
        self.name, self.address = name, f"{address}:{port}"
        self._rpc = f"-rpc-addr=127.0.0.1:{free_port()}"
        self._events = folder / f"{name}.events"
        self._events.touch()
        self._log = folder / f"{name}.log"
        arguments = [
            f"-node={name}",
            f"-bind={self.address}",
            self._rpc,
            "-profile=local",
            "-tag=role=web",
            f'-event-handler=user=echo "$SERF_USER_EVENT $(cat)" >> {self._events}',
            *([f"-encrypt={b64encode(key).decode()}"] if key else ()),
            *([f"-join={join}"] if join else ()),
        ]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(["serf", "agent", *arguments], stdout=log, stderr=log)
        eventually(lambda: self._run("info").returncode == 0, self._log.read_text)

    def members(self) -> dict[str, str]:
        """Names and statuses."""
        lines = self.run("members").splitlines()
        return {words[0]: words[2] for words in (line.split() for line in lines)}

    def events(self) -> list[str]:
        """Return the user events so far, as "NAME PAYLOAD"."""
        return self._events.read_text(errors="replace").splitlines()

    def run(self, command: str, *arguments: str) -> str:
        done = self._run(command, *arguments)
        assert done.returncode == 0, f"serf {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def round_trip_s(self, one: str, other: str) -> float | None:
        """Return the estimated round trip between two members; None while it does not know their coordinates."""
        found = re.search(r"rtt: ([\d.]+) ms", self._run("rtt", one, other).stdout)
        return float(found[1]) / 1000 if found else None

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = ["serf", command, self._rpc, *arguments]
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
