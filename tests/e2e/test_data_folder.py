"""The data folder of an agent: one agent at a time, private, and nothing in it keeps the agent from starting."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.agent_process import AGAINST, AgentProcess
from support.eventually import eventually
from support.rows import SAMPLES

from pyconsul.agent.engine.embedded.checksums import row_sum
from pyconsul.agent.engine.embedded.datafile import PUT_ROW

STATE_FILES = {"": {"state.db", "state.db-wal", "state.mark"}, "follower": {"db"}, "client": set()}
ODD_FILES = (b"", b"\x80", b"null", b"[]", b"{}", b'{"Service": 1, "Check": "x", "CheckID": []}', b"9" * 400)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, tmp_path / "data")
    yield process
    process.stop()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[AgentProcess]:
    """Another agent on the same data folder."""
    (tmp_path / "other").mkdir()
    process = AgentProcess(tmp_path / "other", tmp_path / "data")
    yield process
    process.stop()


@pytest.mark.single_server("names the process of the agent")
def test_a_second_agent_refuses_to_start(agent: AgentProcess, other: AgentProcess) -> None:
    agent.start()
    assert agent.process is not None
    with pytest.raises(RuntimeError, match=rf"in use by another agent: pid={agent.process.pid};.*-data-dir"):
        other.start()
    assert "Traceback" not in other.log()
    agent.put("/v1/kv/a", b"1")
    agent.kill()
    other.start()
    assert other.get("/v1/kv/a")[0]["Key"] == "a"


def test_nothing_is_writable_by_others(agent: AgentProcess, tmp_path: Path) -> None:
    settings = msgspec.json.decode(agent.config_file.read_bytes())
    settings |= {
        "log_file": f"{tmp_path}/logs/agent.log",
        "pid_file": f"{tmp_path}/agent.pid",
        "addresses": {"http": f"127.0.0.1 unix://{tmp_path}/agent.sock"},
    }
    agent.config_file.write_bytes(msgspec.json.encode(settings))
    old = os.umask(0)
    try:
        agent.start()
    finally:
        os.umask(old)
    agent.put("/v1/kv/a", b"1")
    agent.put("/v1/agent/service/register", {"Name": "web", "Check": {"TTL": "1h"}})
    folder = tmp_path / "data"
    eventually(lambda: STATE_FILES[AGAINST] <= {path.name for path in folder.rglob("*")})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_dir()} == {0o700}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "node-id"]
    names = {file.name: file.stat().st_mode & 0o777 for file in files}
    assert {"services", "checks"} <= {file.parent.name for file in files}
    assert set(names.values()) == {0o600}
    for path in (
        folder / "node-id",
        tmp_path / "logs",
        tmp_path / "logs/agent.log",
        tmp_path / "agent.pid",
        tmp_path / "agent.sock",
    ):
        assert path.stat().st_mode & 0o022 == 0, path


def odd_rows(table: str, sample: Any) -> list[tuple[str, bytes]]:
    """Rows of the right type with texts, numbers and lists that no API would take."""
    found = []
    for name in sample.__struct_fields__:
        for value in ("", "\0\n", "x" * 300, "garbage", 0, -1, (1 << 53) + 1, 1e308, None, [], {}):
            row = msgspec.structs.replace(sample, **{name: value})
            found.append((f"{name}={value!r:.20}", msgspec.msgpack.encode(row)))
    return found


@pytest.mark.single_server("changes the file of a single server")
def test_whatever_rows_are_stored_the_agent_starts(agent: AgentProcess, tmp_path: Path) -> None:
    settings = msgspec.json.decode(agent.config_file.read_bytes())
    settings["acl"] = {"enabled": True, "default_policy": "allow"}
    agent.config_file.write_bytes(msgspec.json.encode(settings))
    agent.start()
    agent.put("/v1/kv/before", b"1")
    agent.put("/v1/agent/service/register", {"Name": "own", "Check": {"TTL": "1h"}})
    agent.stop()
    rows = [(table, *row) for table, sample in SAMPLES.items() for row in odd_rows(table, sample)]
    with closing(sqlite3.connect(tmp_path / "data" / "raft" / "state.db")) as database, database:
        for table, key, data in rows:
            database.execute(PUT_ROW, (table, key, data, row_sum(table, key, data)))
    odd = []
    for name in ("services", "checks", "checks/state"):
        folder = tmp_path / "data" / name
        folder.mkdir(exist_ok=True)
        odd += [folder / f"odd-{number}" for number in range(len(ODD_FILES))]
        for path, content in zip(odd[-len(ODD_FILES) :], ODD_FILES, strict=True):
            path.write_bytes(content)

    agent.start()
    assert "rows that cannot be used" in agent.log()
    assert agent.log().count("ignored ") == len(odd)
    assert all(path.exists() for path in odd), "what cannot be read is removed"
    assert agent.request("GET", "/v1/kv/before?raw")[2] == b"1"
    agent.put("/v1/kv/after", b"2")
    assert "own" in agent.get("/v1/agent/services")
    for path in ("/v1/catalog/nodes", "/v1/catalog/services", "/v1/session/list", "/v1/query", "/v1/kv/?keys"):
        assert agent.request("GET", path)[0] == 200, path
    agent.stop()
    agent.start()
    assert agent.log().count("rows that cannot be used") == 1, "they are set aside once"
    assert agent.request("GET", "/v1/kv/after?raw")[2] == b"2"


def test_a_lock_delay_outlasts_a_restart(agent: AgentProcess) -> None:
    agent.start()
    session = agent.put("/v1/session/create", {"LockDelay": "30s", "NodeChecks": []})["ID"]
    assert agent.put(f"/v1/kv/lock?acquire={session}", b"1") is True
    agent.put(f"/v1/session/destroy/{session}")
    agent.kill()
    begun = time.monotonic()
    agent.start()
    session = agent.put("/v1/session/create", {"NodeChecks": []})["ID"]
    taken = agent.put(f"/v1/kv/lock?acquire={session}", b"1")
    assert taken is False or time.monotonic() - begun > 25, "the lock was free too early"
