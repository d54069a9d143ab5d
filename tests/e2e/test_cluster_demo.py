"""`pyconsul cluster demo`: three servers that lose one and lose nothing, with everything real, and no trace afterwards."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.etcd import needs_etcd
from support.eventually import eventually

from pyconsul.cli.cluster_demo.janitor import output

PYCONSUL = str(Path(sys.executable).with_name("pyconsul"))
PATIENCE = 150  # seconds

pytestmark = [needs_etcd, pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for temporary files whose path leaves room for the names of sockets."""
    made = Path(tempfile.mkdtemp(prefix="demo-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def environment_without_namespaces(folder: Path) -> dict[str, str]:
    """Return variables with which the program `ip` is not found."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("etcd", "haproxy"):
        (programs / name).symlink_to(shutil.which(name) or "")
    return {**os.environ, "PATH": f"{programs}:{Path(sys.executable).parent}"}


def require_no_trace(folder: Path, pid: int) -> None:
    """Require that nothing is left: processes, files, namespaces."""
    assert list(folder.iterdir()) == []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(folder).encode() not in line.read_bytes()
        except OSError:
            continue
    assert f"pyconsul-demo-{pid}" not in output("ip", "netns", "list")


@pytest.mark.parametrize("kind", ["network namespaces", pytest.param("loopback addresses", marks=pytest.mark.slow)])
def test_the_tour_loses_nothing(tmp_path: Path, folder: Path, kind: str) -> None:
    if kind == "network namespaces" and (os.geteuid() != 0 or shutil.which("ip") is None):
        pytest.skip("network namespaces need root, and Debian's iproute2")
    environment = dict(os.environ) if kind == "network namespaces" else environment_without_namespaces(tmp_path)
    argv = [PYCONSUL, "cluster", "demo", "-once"]
    process = subprocess.Popen(
        argv, env={**environment, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    shown, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, shown
    assert f"three servers and two client agents run on {kind}: one cluster" in shown
    assert len(re.findall(r"writes were\s+acknowledged again after \d", shown)) == 2
    assert "HAProxy sends nothing to web-c2 any more" in shown
    counts = re.search(r"^(\d+) writes acknowledged, 0 lost; (\d+) requests answered, 0 failed$", shown, re.MULTILINE)
    assert counts is not None, shown
    assert min(int(counts[1]), int(counts[2])) > 50
    require_no_trace(folder, process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_an_end_in_the_middle_leaves_nothing_behind(folder: Path, number: int) -> None:
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen([PYCONSUL, "cluster", "demo"], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "one cluster after" in process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    eventually(lambda: not list(folder.iterdir()))
    require_no_trace(folder, process.pid)
