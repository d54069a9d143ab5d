"""A power cut can tear the end of the write-ahead log: what was whole before it is there after the start, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess

COUNT = 50


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, tmp_path / "data")
    yield process
    process.stop()


def cut(data: bytes) -> bytes:
    return data[:-1500]


def spoil(data: bytes) -> bytes:
    return data[:-1500] + b"\xa5" * 1500


def add_half_a_frame(data: bytes) -> bytes:
    return data + b"\x5a" * 700


@pytest.mark.parametrize("damage", [cut, spoil, add_half_a_frame])
def test_a_torn_end_is_left_out(agent: AgentProcess, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    agent.start()
    for number in range(COUNT):
        agent.put(f"/v1/kv/{number:03d}", b"%d" % number)
    agent.kill()
    log = tmp_path / "data" / "state.db-wal"
    log.write_bytes(damage(log.read_bytes()))

    agent.start()
    keys = agent.get("/v1/kv/?keys")
    assert keys == [f"{number:03d}" for number in range(len(keys))], "there is a hole"
    assert len(keys) >= COUNT - 1, "more is lost than what was torn"
    index = max(entry["ModifyIndex"] for entry in agent.get("/v1/kv/?recurse"))
    agent.put("/v1/kv/after", b"1")
    assert agent.get("/v1/kv/after")[0]["ModifyIndex"] > index
