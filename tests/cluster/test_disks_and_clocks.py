"""A server with a full or a slow disk, and one whose clock jumps: the cluster goes on, and so does the server afterwards."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cluster.machine_agent import MachineAgent
from cluster.network import require_namespaces
from cluster.server_cluster import ServerCluster, running_servers
from cluster.verification import verify
from cluster.workload import load_on
from support.eventually import eventually

DISK_MB = 800  # etcd allocates two files of 64 MB in advance
LARGE = bytes(400_000)  # 200 of them need more room than etcd has allocated
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR_S = 3600
HELD_S = 7.0  # rpc_hold_timeout: how long a request waits for a leader

WHICH = pytest.mark.parametrize(
    "leads", [pytest.param(False, marks=pytest.mark.slow, id="a follower"), pytest.param(True, id="the leader")]
)


class Disk:
    """A small file system in memory on which a server keeps its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)

    def fill(self) -> None:
        """Leave no room."""
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1 << 16))

    def free(self) -> None:
        """Make room again."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


class Clock:
    """The wall clock of an agent, which a library shifts; its other clocks, and those of the machine, stay."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """Let the clock differ from the machine's."""
        self._file.write_text(f"{seconds:+d}s\n")

    @property
    def launcher(self) -> tuple[str, ...]:
        return (
            "env",
            f"LD_PRELOAD={FAKETIME}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_CACHE_DURATION=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        )


class Machinery:
    """A cluster whose first server has a small disk, and whose second has a clock that can be shifted."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(folder / "m1/data")
        self.clock = Clock(folder / "clock")
        self.has_clock = FAKETIME.exists()

    def prepare(self, cluster: ServerCluster) -> None:
        if self.has_clock:
            cluster.servers[1] = cluster.server(2, bootstrap_expect=3, launcher=self.clock.launcher)


@pytest.fixture(scope="module")
def running_machinery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machinery, ServerCluster]]:
    require_namespaces()
    folder = tmp_path_factory.mktemp("machinery")
    machinery = Machinery(folder)
    try:
        with running_servers(folder, machinery.prepare) as cluster:
            yield machinery, cluster
    finally:
        machinery.disk.remove()


@pytest.fixture
def machinery(running_machinery: tuple[Machinery, ServerCluster]) -> tuple[Machinery, ServerCluster]:
    """All of it, without any fault."""
    machinery, cluster = running_machinery
    machinery.disk.free()
    machinery.clock.shift(0)
    cluster.mend()
    return running_machinery


def lead(cluster: ServerCluster, server: MachineAgent) -> None:
    """Let a server lead."""
    configuration = cluster.servers[0].get("/v1/operator/raft/configuration")
    node_id = next(one["ID"] for one in configuration["Servers"] if one["Node"] == server.name)
    if cluster.wait_for_leader() is not server:
        status, _, body = server.request("POST", f"/v1/operator/raft/transfer-leader?id={node_id}")
        assert status == 200, body
    eventually(lambda: cluster.leader() is server, cluster.logs)


@WHICH
def test_the_disk_of_a_server_is_full(machinery: tuple[Machinery, ServerCluster], leads: bool) -> None:
    """Its etcd ends again and again. Writes go on, also through its agent, which still answers: another server leads."""
    parts, cluster = machinery
    server, client = cluster.servers[0], cluster.clients[0]
    lead(cluster, server if leads else cluster.servers[2])
    healthy = [agent for agent in cluster.agents if agent is not server]
    with load_on(healthy, seed=11) as load:
        began = time.monotonic()
        parts.disk.fill()
        for number in range(200):
            status, _, body = client.request("PUT", f"/v1/kv/large/{number % 5}", LARGE + b"%d" % number)
            assert status == 200 or b"this one may still take effect" in body, body
        assert "no space left on device" in server.log()
        assert cluster.wait_for_leader(seen_by=cluster.servers[1:]) is not server
        load.wait_for_progress(100)
        assert server.request("PUT", "/v1/kv/at-the-full-one", b"x")[0] == 200
        pause = load.longest_pause(began).seconds
        parts.disk.free()
        load.wait_for_progress(50)
        cluster.mend()
    verify(cluster, load)
    assert pause < HELD_S


def member_of(server: MachineAgent) -> int:
    """Return the process ID of a server's etcd."""
    for pid in server.machine.processes():
        with contextlib.suppress(OSError):
            if b"--initial-cluster" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise LookupError(f"{server.name} has no etcd")


@contextlib.contextmanager
def slow_disk(server: MachineAgent, log: Path, *, delay_s: float) -> Iterator[None]:
    """Let each fsync of a server's etcd take longer while the block runs."""
    delay = f"inject=fsync,fdatasync:delay_enter={int(delay_s * 1e6)}"
    argv = ["strace", "-f", "-p", str(member_of(server)), "-e", "trace=fsync,fdatasync", "-e", delay, "-o", str(log)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        if "attached" not in first:
            pytest.skip(f"strace cannot attach to a process here: {first.strip()}")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (Debian: strace)")
@WHICH
def test_the_disk_of_a_server_is_slow(machinery: tuple[Machinery, ServerCluster], tmp_path: Path, leads: bool) -> None:
    _, cluster = machinery
    server = cluster.servers[2]
    lead(cluster, server if leads else cluster.servers[1])
    with load_on(cluster.agents, seed=12) as load:
        with slow_disk(server, tmp_path / "calls", delay_s=0.3):
            load.wait_for_progress(60)
        load.wait_for_progress(60)
    assert "DELAYED" in (tmp_path / "calls").read_text()
    cluster.mend()
    verify(cluster, load)


@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed (Debian: faketime)")
def test_the_clock_of_the_leader_jumps(machinery: tuple[Machinery, ServerCluster]) -> None:
    """An hour ahead, then an hour behind: no session ends, no lock is lost."""
    parts, cluster = machinery
    server = cluster.servers[1]
    lead(cluster, server)
    session = cluster.clients[0].put("/v1/session/create", {"TTL": "20s", "LockDelay": "0s"})["ID"]
    assert cluster.clients[0].put(f"/v1/kv/clock/lock?acquire={session}", b"x") is True
    with load_on(cluster.agents, seed=13) as load:
        for shift, direction in ((HOUR_S, "ahead"), (-HOUR_S, "behind")):
            parts.clock.shift(shift)
            eventually(partial(_tells_time, cluster.servers[0], server, direction), server.log)
            load.wait_for_progress(100)
            assert cluster.clients[1].get("/v1/kv/clock/lock")[0]["Session"] == session
            cluster.clients[0].put(f"/v1/session/renew/{session}")
    cluster.mend()
    verify(cluster, load)


def _tells_time(seen_by: MachineAgent, server: MachineAgent, direction: str) -> bool:
    """Return whether another agent says that a server's clock is ahead of its own, or behind it."""
    (explained,) = seen_by.get(f"/v1/agent/members?explain={server.name}")
    return any("clock" in reason and direction in reason for reason in explained["Reasons"])
