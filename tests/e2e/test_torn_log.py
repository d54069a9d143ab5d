"""The end of the write-ahead log is torn: by a power cut, or after its commits were acknowledged."""

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


def write_and_kill(agent: AgentProcess, folder: Path) -> bytes:
    """Write keys and end the agent; the mark as it was before the last key."""
    agent.start()
    for number in range(COUNT):
        before = (folder / "state.mark").read_bytes()
        agent.put(f"/v1/kv/{number:03d}", b"%d" % number)
    agent.kill()
    return before


@pytest.mark.parametrize("damage", [cut, spoil, add_half_a_frame])
@pytest.mark.single_server("damages the file of a single server")
def test_a_torn_end_is_left_out(agent: AgentProcess, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A power cut in the middle of the last commit: it was not acknowledged, so the mark does not know it."""
    folder = tmp_path / "data" / "raft"
    mark = write_and_kill(agent, folder)
    log = folder / "state.db-wal"
    log.write_bytes(damage(log.read_bytes()))
    (folder / "state.mark").write_bytes(mark)

    agent.start()
    keys = agent.get("/v1/kv/?keys")
    assert keys == [f"{number:03d}" for number in range(len(keys))], "there is a hole"
    assert len(keys) >= COUNT - 1, "more is lost than what was torn"
    index = max(entry["ModifyIndex"] for entry in agent.get("/v1/kv/?recurse"))
    agent.put("/v1/kv/after", b"1")
    assert agent.get("/v1/kv/after")[0]["ModifyIndex"] > index


@pytest.mark.parametrize("damage", [cut, spoil])
@pytest.mark.single_server("damages the file of a single server")
def test_an_acknowledged_end_that_is_lost_is_reported(
    agent: AgentProcess, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    folder = tmp_path / "data" / "raft"
    write_and_kill(agent, folder)
    files = [folder / "state.db", folder / "state.db-wal"]
    files[1].write_bytes(damage(files[1].read_bytes()))
    before = [file.read_bytes() for file in files]

    with pytest.raises(
        RuntimeError, match=r"ends at index \d+, but writes up to index \d+ were acknowledged.*accept-damage"
    ):
        agent.start()
    assert [file.read_bytes() for file in files] == before, "what could still be rescued was changed"
    assert "Traceback" not in agent.log()

    (folder / "accept-damage").touch()
    agent.start()
    assert len(agent.get("/v1/kv/?keys")) == COUNT - 1
    assert not (folder / "accept-damage").exists(), "damage is accepted once"
    agent.put("/v1/kv/after", b"1")
    agent.kill()
    agent.start()
    assert agent.get("/v1/kv/after")[0]["Key"] == "after"
