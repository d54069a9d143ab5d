"""The commands about services, nodes and members against a running agent."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., subprocess.CompletedProcess[bytes]]
HCL = 'services {\n  name = "one"\n  port = 1\n  check { ttl = "10m" }\n}\nservices {\n  name = "two"\n}\n'


def parsed(done: subprocess.CompletedProcess[bytes]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_services_from_flags(pyconsul: Run) -> None:
    words = ["-name=web", "-id=web-1", "-port=80", "-tag=b", "-tag=a", "-meta=k=v"]
    assert pyconsul("services", "register", *words).stdout == b"Registered service: web\n"
    assert parsed(pyconsul("catalog", "services", "-format=json"))["web"] == ["a", "b"]
    lines = pyconsul("catalog", "services", "-tags", "-node=n1").stdout.splitlines()
    assert [b"web", b"a,b"] in [line.split() for line in lines]
    assert pyconsul("services", "deregister", "-id=web-1").stdout == b"Deregistered service: web-1\n"
    assert pyconsul("services", "deregister", "-id=web-1").returncode == 1
    assert pyconsul("services", "deregister", "-id=web-1", "-detailed-exitcode").returncode == 3


def test_services_from_files(pyconsul: Run, tmp_path: Path) -> None:
    (tmp_path / "two.hcl").write_text(HCL)
    done = pyconsul("services", "register", "-tag=more", "two.hcl")
    assert done.stdout == b"Registered service: one\nRegistered service: two\n"
    assert parsed(pyconsul("catalog", "services", "-format=json"))["two"] == ["more"]
    done = pyconsul("services", "deregister", "two.hcl")
    assert done.stdout == b"Deregistered service: one\nDeregistered service: two\n"


def test_nodes_and_members(pyconsul: Run) -> None:
    assert b"n1" in pyconsul("catalog", "nodes").stdout
    nodes = yaml.safe_load(pyconsul("catalog", "nodes", "-format=yaml").stdout)
    assert "n1" in [node["Node"] for node in nodes]
    assert pyconsul("catalog", "datacenters").stdout == b"dc1\n"
    header, *rows = pyconsul("members").stdout.splitlines()
    assert header.split() == b"Node Address Status Type Build Protocol DC Partition Segment".split()
    assert b"n1" in [row.split()[0] for row in rows]
    assert "n1" in [member["Name"] for member in parsed(pyconsul("members", "-format=json"))]
    assert pyconsul("members", "-status=left").returncode == 2


def test_maintenance(pyconsul: Run) -> None:
    assert pyconsul("maint", "-enable", "-reason=a new disk").returncode == 0
    assert pyconsul("maint").stdout == b"Node:\n  Name:   n1\n  Reason: a new disk\n\n"
    assert pyconsul("maint", "-disable").returncode == 0
    assert pyconsul("maint").stdout == b""


def test_the_agent_of_a_node_is_asked(pyconsul: Run) -> None:
    assert pyconsul("maint", "-enable", "-node=N1", "-reason=a new disk").returncode == 0
    assert pyconsul("maint", "-node=n1").stdout == b"Node:\n  Name:   n1\n  Reason: a new disk\n\n"
    assert pyconsul("maint", "-disable", "-node=n1").returncode == 0
    for words in (["maint", "-enable"], ["maint"], ["services", "deregister", "-id=web"]):
        done = pyconsul(*words, "-node=n9")
        assert done.returncode == 1
        assert b'"n9"' in done.stderr


@pytest.mark.parametrize("words", [["info"], ["reload"], ["keygen"], ["version"], ["event", "-name=e", "payload"]])
def test_small_commands(pyconsul: Run, words: list[str]) -> None:
    done = pyconsul(*words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_validate(pyconsul: Run, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text('{"data_dir": "/tmp/x", "bind_addr": "127.0.0.1"}')
    assert pyconsul("validate", "good.json").stdout == b"Configuration is valid!\n"
    (tmp_path / "bad.json").write_text('{"data_dir": "/tmp/x", "bind_adr": "127.0.0.1"}')
    done = pyconsul("validate", "good.json", "bad.json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"bind_addr" in done.stderr


def test_a_record_for_whoever_can_help(pyconsul: Run, tmp_path: Path) -> None:
    done = pyconsul(
        "debug", "-duration=100ms", "-interval=50ms", "-capture=agent", "-capture=metrics", "-output=record"
    )
    assert done.stdout == b"Saved debug archive: record.tar.gz\n"
    names = subprocess.run(["tar", "tzf", tmp_path / "record.tar.gz"], capture_output=True, check=True).stdout
    assert set(names.split()) == {b"record/agent.json", b"record/metrics.json", b"record/index.json"}


def test_a_log_level_that_does_not_exist(pyconsul: Run) -> None:
    done = pyconsul("monitor", "-log-level=nonsense")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
