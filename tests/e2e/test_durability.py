"""A durable agent loses nothing that it acknowledged, however it ends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.agent_process import STOPPED, AgentProcess

WRITES = 1000
AT_ONCE = 100
KILL_AFTER = 300  # acknowledged writes


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, tmp_path / "data", limits={"http_max_conns_per_client": 0})
    yield process
    process.stop()


async def write_until_killed(agent: AgentProcess) -> dict[str, bytes]:
    """Write 1,000 keys at once, kill the agent in the middle; the writes that were acknowledged."""
    acknowledged: dict[str, bytes] = {}
    limits = httpx.Limits(max_connections=AT_ONCE)
    turn = asyncio.Semaphore(AT_ONCE)  # what waits in the client's own queue makes the client slow

    async def write(client: httpx.AsyncClient, number: int) -> None:
        key, value = f"load/{number}", b"value %d" % number
        try:
            async with turn:
                answer = await client.put(f"/v1/kv/{key}", content=value)
        except httpx.TransportError:
            return
        assert (answer.status_code, answer.content) == (200, b"true")
        acknowledged[key] = value
        if len(acknowledged) == KILL_AFTER:
            agent.kill()

    async with httpx.AsyncClient(base_url=f"http://{agent.address}", limits=limits, timeout=30) as client:
        await asyncio.gather(*(write(client, number) for number in range(WRITES)))
    return acknowledged


def test_kill_in_the_middle_of_a_thousand_writes(agent: AgentProcess) -> None:
    agent.start()
    agent.put("/v1/kv/before", b"1")
    index = agent.get("/v1/kv/before")[0]["ModifyIndex"]
    acknowledged = asyncio.run(write_until_killed(agent))
    assert KILL_AFTER <= len(acknowledged) < WRITES

    agent.start()
    entries = {entry["Key"]: entry for entry in agent.get("/v1/kv/load/?recurse")}
    for key, value in acknowledged.items():
        _, _, body = agent.request("GET", f"/v1/kv/{key}?raw")
        assert body == value
    indexes = [entry["ModifyIndex"] for entry in entries.values()]
    assert len(set(indexes)) == len(indexes)
    assert min(indexes) > index
    agent.put("/v1/kv/after", b"1")
    assert agent.get("/v1/kv/after")[0]["ModifyIndex"] > max(indexes), "an index was given out twice"


def test_everything_survives_an_orderly_end(agent: AgentProcess) -> None:
    agent.start()
    agent.put("/v1/kv/a?flags=42", b"1")
    before = agent.get("/v1/kv/a")
    agent.put("/v1/catalog/register", {"Node": "x", "Address": "10.0.0.9", "Service": {"Service": "web", "Port": 80}})
    assert agent.stop() == STOPPED
    agent.start()
    assert agent.get("/v1/kv/a") == before
    assert agent.get("/v1/catalog/service/web")[0]["Node"] == "x"


@pytest.mark.single_server("damages the file of a single server")
def test_a_torn_file_is_refused_with_instructions(agent: AgentProcess, tmp_path: Path) -> None:
    agent.start()
    for number in range(200):
        agent.put(f"/v1/kv/{number}", b"x" * 500)
    agent.stop()
    path = tmp_path / "data" / "raft" / "state.db"
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    data = bytearray(path.read_bytes())
    data[8192:16384] = b"\xa5" * 8192
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match=r"(?s)state\.db cannot be used.*backup"):
        agent.start()
    assert path.read_bytes() == bytes(data)


def test_the_error_of_a_taken_port_names_it_and_its_setting(agent: AgentProcess, tmp_path: Path) -> None:
    agent.start()
    other = AgentProcess(
        tmp_path, ports={"http": agent.http_port, "dns": -1, "server": 1, "serf_lan": -1, "serf_wan": -1}
    )
    with pytest.raises(RuntimeError, match=rf"port {agent.http_port}: the port is taken .*-http-port"):
        other.start()
