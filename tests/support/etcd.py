"""A real etcd for tests: one process for a test run, listening on a unix socket; each test has a separate prefix."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyconsul.agent.engine.contract import Limits
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.engine.history.contract import NO_HISTORY, Retention

PROGRAM = shutil.which("etcd")
LIMITS = Limits(rows=5000, size_bytes=8 << 20, takes_larger=True)  # of a member that is started as here
START = 20  # seconds it gets to answer
_numbers = itertools.count()

needs_etcd = pytest.mark.skipif(PROGRAM is None, reason="etcd is not installed (Debian: etcd-server)")


class EtcdProcess:
    """One etcd member. Its files are in memory where that is possible: tests are not about the speed of a disk."""

    def __init__(self, *options: str) -> None:
        shared = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="etcd-", dir=shared if shared.is_dir() else None))
        self.endpoint = f"unix:{self.folder}/client:1"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> EtcdProcess:
        """Start it, and wait until it accepts connections."""
        assert PROGRAM is not None
        argv = [
            PROGRAM, "--name", "m", "--data-dir", "data", "--logger", "zap",
            "--listen-client-urls", "unix://client:1", "--advertise-client-urls", "unix://client:1",
            "--listen-peer-urls", "unix://peer:1", "--initial-advertise-peer-urls", "unix://peer:1",
            "--initial-cluster", "m=unix://peer:1", "--heartbeat-interval", "20", "--election-timeout", "200",
            "--max-txn-ops", "6000", "--max-request-bytes", str(12 << 20), *self.options,
        ]  # fmt: skip
        for name in ("client:1", "peer:1"):  # etcd does not always remove those of a killed one
            (self.folder / name).unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and self.process.poll() is None:
            if "serving client traffic" in (self.folder / "log").read_text():
                return self
            time.sleep(0.01)
        raise RuntimeError(f"etcd did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """Kill it, and start it again on the same data."""
        self.kill()
        (self.folder / "log").write_text("")
        self.start()

    def remove(self) -> None:
        """End it and remove its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def etcd_place(
    etcd: EtcdProcess, retention: Retention = NO_HISTORY, limits: Limits = LIMITS
) -> Callable[[], EtcdEngine]:
    """Return a function that opens one new place in etcd, again and again, as other servers or after a restart."""
    prefix = fresh_prefix()
    servers = itertools.count()
    return lambda: EtcdEngine(Client([etcd.endpoint]), prefix, f"server-{next(servers)}", retention, limits)


def fresh_prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"/test/{next(_numbers)}"
