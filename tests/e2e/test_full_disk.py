"""A disk without room: writes are refused with a clear error, reads go on, and it mends itself once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess

pytestmark = pytest.mark.single_server("the disk is too small for etcd, and a client agent stores no keys")

PATIENCE = 20
SIZE = 2 << 20  # bytes of the small disk
LARGE = b"x" * 100_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with little room."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=PATIENCE)


@pytest.fixture
def agent(disk: Path, tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, disk / "data")
    try:
        yield process.start()
    finally:
        process.stop()


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return ballast


def write_until_refused(agent: AgentProcess) -> tuple[list[str], bytes]:
    """Return the keys that were taken, and the refusal of the one after them."""
    taken: list[str] = []
    for number in range(100):
        status, _, body = agent.request("PUT", f"/v1/kv/fill/{number}", LARGE)
        if status != 200:
            assert status == 500
            return taken, body
        taken.append(f"fill/{number}")
    raise AssertionError("a full disk took everything")


def test_a_full_disk(agent: AgentProcess, disk: Path) -> None:
    agent.put("/v1/kv/before", b"1")
    ballast = fill(disk)
    taken, refusal = write_until_refused(agent)
    assert b"cannot write to" in refusal
    assert b"full" in refusal
    assert b"Traceback" not in refusal

    status, _, body = agent.request("GET", "/v1/kv/before?raw")
    assert (status, body) == (200, b"1")
    assert agent.get("/v1/kv/fill/?keys") == taken if taken else True
    assert agent.request("GET", f"/v1/kv/fill/{len(taken)}")[0] == 404, "what was refused was kept"
    assert agent.get("/v1/catalog/nodes")
    for _ in range(20):
        assert agent.request("PUT", "/v1/kv/again", LARGE)[0] == 500
    assert agent.log().count("writes fail, reads continue") == 1

    ballast.unlink()
    agent.put("/v1/kv/after", LARGE)
    assert "writes succeed again" in agent.log()
    keys = agent.get("/v1/kv/?keys")
    assert keys == sorted(["after", "before", *taken])

    agent.kill()
    agent.start()
    assert agent.get("/v1/kv/?keys") == keys
    assert "Traceback" not in agent.log()


@pytest.mark.parametrize("end", ["kill", "stop", "power cut"])
def test_an_agent_that_starts_on_a_full_disk_serves_reads(agent: AgentProcess, disk: Path, end: str) -> None:
    agent.put("/v1/kv/before", b"1")
    agent.put("/v1/agent/service/register", {"Name": "web", "Port": 80})
    if end == "stop":
        agent.stop()
    else:
        agent.kill()  # the write-ahead log stays, and has to be read
    if end == "power cut":
        for file in (disk / "data").rglob("*-shm"):
            file.unlink()
    ballast = fill(disk)

    agent.start()
    assert agent.request("GET", "/v1/kv/before?raw")[2] == b"1"
    assert agent.get("/v1/catalog/service/web")[0]["ServicePort"] == 80
    status, _, refusal = agent.request("PUT", "/v1/kv/refused", LARGE)
    assert (status, b"the disk is full" in refusal) == (500, True)
    assert end == "kill" or "serving reads only" in agent.log()
    assert "Traceback" not in agent.log()

    ballast.unlink()
    agent.put("/v1/kv/after", b"2")
    agent.kill()
    agent.start()
    assert agent.get("/v1/kv/?keys") == ["after", "before"]
    assert list(agent.get("/v1/agent/services")) == ["web"]
