"""Saving and restoring a running agent, and what its clients see of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess

PATIENCE = 20  # seconds


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path, tmp_path / "data").start()
    yield process
    process.stop()


def save(agent: AgentProcess) -> bytes:
    status, headers, body = agent.request("GET", "/v1/snapshot")
    assert (status, headers["content-type"]) == (200, "application/x-gzip")
    assert int(headers["x-consul-index"]) > 0
    return body


def keys(agent: AgentProcess) -> list[str]:
    status, _, body = agent.request("GET", "/v1/kv/?keys")
    return [] if status == 404 else [key.strip('"') for key in body.decode().strip("[]").split(",") if key]


def fill(agent: AgentProcess) -> str:
    agent.put("/v1/kv/app/a", b"secret-one")
    agent.put("/v1/catalog/register", {"Node": "other", "Address": "10.0.0.9", "Service": {"Service": "db"}})
    coordinate = {"Vec": [0.5] + [0.0] * 7, "Error": 1.5, "Adjustment": 0, "Height": 1e-5}
    agent.put("/v1/coordinate/update", {"Node": "other", "Coord": coordinate})
    session: str = agent.put("/v1/session/create", {"TTL": "10s", "NodeChecks": []})["ID"]
    assert agent.put(f"/v1/kv/lock?acquire={session}", b"x") is True
    status, _, _ = agent.request("POST", "/v1/query", {"Name": "q", "Service": {"Service": "db"}})
    assert status == 200
    return session


@pytest.mark.single_server("compares all nodes")
def test_all_of_it_comes_back_and_survives_a_restart(agent: AgentProcess) -> None:
    session = fill(agent)
    saved = save(agent)
    agent.put("/v1/kv/app/a", b"later")
    agent.put("/v1/kv/app/b", b"later")
    agent.put(f"/v1/session/destroy/{session}")
    agent.put("/v1/catalog/deregister", {"Node": "other"})
    newest = agent.get("/v1/kv/app/b")[0]["ModifyIndex"]
    status, _, body = agent.request("PUT", "/v1/snapshot", saved)
    assert (status, body) == (200, b"")

    def check() -> None:
        assert keys(agent) == ["app/a", "lock"]
        assert agent.request("GET", "/v1/kv/app/a?raw")[2] == b"secret-one"
        assert agent.get("/v1/kv/lock")[0]["Session"] == session
        assert [node["Node"] for node in agent.get("/v1/catalog/nodes")] == ["n1", "other"]
        assert agent.get("/v1/coordinate/node/other")[0]["Coord"]["Vec"][0] == 0.5
        assert agent.get("/v1/query/q/execute")["Nodes"][0]["Node"]["Node"] == "other"
        assert agent.put(f"/v1/session/renew/{session}")[0]["ID"] == session

    check()
    agent.kill()
    agent.start()
    check()
    agent.put("/v1/kv/app/c", b"x")
    assert agent.get("/v1/kv/app/c")[0]["ModifyIndex"] > newest
    assert "secret-one" not in agent.log()


@pytest.mark.single_server("compares all nodes")
def test_another_agent_takes_it_and_stays_in_its_own_catalog(agent: AgentProcess, tmp_path: Path) -> None:
    fill(agent)
    saved = save(agent)
    folder = tmp_path / "second"
    folder.mkdir()
    second = AgentProcess(folder, folder / "data", node_name="n2").start()
    try:
        assert second.request("PUT", "/v1/snapshot", saved)[0] == 200
        assert {node["Node"] for node in second.get("/v1/catalog/nodes")} == {"n1", "n2", "other"}
        assert keys(second) == ["app/a", "lock"]
    finally:
        second.stop()


def test_a_bad_file_changes_nothing(agent: AgentProcess) -> None:
    fill(agent)
    saved = save(agent)
    agent.put("/v1/kv/later", b"x")
    for bad in (b"", b"no snapshot", saved[: len(saved) // 2], saved[:200] + b"\0\0\0\0" + saved[204:]):
        status, _, body = agent.request("PUT", "/v1/snapshot", bad)
        assert status == 500
        assert body.startswith(b"failed to ")
    assert keys(agent) == ["app/a", "later", "lock"]


def test_no_other_datacenter_is_restored(agent: AgentProcess) -> None:
    for body in (b"", save(agent)):
        assert agent.request("PUT", "/v1/snapshot?dc=nope", body)[::2] == (500, b"No path to datacenter")


def test_blocking_queries_see_a_restore(agent: AgentProcess) -> None:
    agent.put("/v1/kv/k", b"old")
    saved = save(agent)
    agent.put("/v1/kv/k", b"new")
    index = agent.get("/v1/kv/k")[0]["ModifyIndex"]
    woken: list[tuple[int, bytes]] = []

    def wait() -> None:
        status, _, body = agent.request("GET", f"/v1/kv/?recurse&raw&index={index}&wait=60s", timeout=PATIENCE + 5)
        woken.append((status, body))

    waiter = threading.Thread(target=wait)
    waiter.start()
    deadline = time.monotonic() + PATIENCE
    while waiter.is_alive() and time.monotonic() < deadline:
        # repeated, since nothing tells when the waiter has begun to wait
        assert agent.request("PUT", "/v1/snapshot", saved)[0] == 200
        waiter.join(0.2)
    assert woken, "the reader was not woken"
    assert woken[0][0] == 200


def test_writes_during_restores_are_never_half_there(agent: AgentProcess) -> None:
    """Each write of two keys in one transaction is there as a whole or not at all, whatever restores it meets."""
    saved = save(agent)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            pair = [{"KV": {"Verb": "set", "Key": f"{side}/{number}", "Value": "eA=="}} for side in ("l", "r")]
            assert agent.request("PUT", "/v1/txn", pair)[0] == 200
            number += 1

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(10):
        assert agent.request("PUT", "/v1/snapshot", saved)[0] == 200
    stop.set()
    for writer in writers:
        writer.join()
    found = keys(agent)
    agent.kill()
    agent.start()
    assert keys(agent) == found
    assert {key[2:] for key in found if key[0] == "l"} == {key[2:] for key in found if key[0] == "r"}
