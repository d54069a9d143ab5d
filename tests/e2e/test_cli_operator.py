"""Snapshots and the operator's commands against a running agent."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def test_a_snapshot_brings_everything_back(pyconsul: Run, tmp_path: Path) -> None:
    pyconsul("kv", "put", "saved", "before")
    assert pyconsul("snapshot", "save", "a.snap").stdout.startswith(b"Saved and verified snapshot to index ")
    assert stat.S_IMODE((tmp_path / "a.snap").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.snap"]
    shown = json.loads(pyconsul("snapshot", "inspect", "-format=json", "a.snap").stdout)
    assert shown["Meta"]["Index"] > 0
    assert b"Index" in pyconsul("snapshot", "inspect", "a.snap").stdout
    pyconsul("kv", "put", "saved", "after")
    assert pyconsul("snapshot", "restore", "a.snap").stdout == b"Restored snapshot\n"
    assert pyconsul("kv", "get", "saved").stdout == b"before\n"


def test_what_is_no_snapshot_changes_nothing(pyconsul: Run, tmp_path: Path) -> None:
    (tmp_path / "junk.snap").write_bytes(b"this is not a snapshot")
    pyconsul("kv", "put", "kept", "yes")
    assert pyconsul("snapshot", "inspect", "junk.snap").returncode == 1
    assert pyconsul("snapshot", "restore", "junk.snap").returncode == 1
    assert pyconsul("kv", "get", "kept").stdout == b"yes\n"


def test_nothing_is_left_of_a_snapshot_that_failed(pyconsul: Run, tmp_path: Path) -> None:
    assert pyconsul("snapshot", "save", "a.snap", CONSUL_HTTP_ADDR="127.0.0.1:1").returncode == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.single_server("a client agent is not a server", mode="client")
def test_servers(pyconsul: Run) -> None:
    header, *rows = pyconsul("operator", "raft", "list-peers").stdout.splitlines()
    assert header.startswith(b"Node")
    assert any(row.startswith(b"n1") for row in rows)
    assert b"Healthy:                      true" in pyconsul("operator", "autopilot", "state").stdout
    assert pyconsul("operator", "autopilot", "set-config", "-min-quorum=3").stdout == b"Configuration updated!\n"
    assert b"MinQuorum = 3\n" in pyconsul("operator", "autopilot", "get-config").stdout
    assert pyconsul("operator", "usage", "instances").stdout.startswith(b"Billable Service Instances Total: ")
