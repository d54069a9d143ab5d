"""`pyconsul kv history` and `kv rollback` with real agents, over a restart and a kill, too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.agent_process import PROGRAM, AgentProcess, StartAgent, running_agent
from support.eventually import eventually


def run(agent: AgentProcess, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [*PROGRAM, "kv", words[0], f"-http-addr={agent.address}", *words[1:]]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def versions(agent: AgentProcess, key: str, *flags: str) -> Any:
    return json.loads(run(agent, "history", "-format=json", *flags, key).stdout)


def tree(agent: AgentProcess, prefix: str) -> dict[str, tuple[str, int]]:
    status, _, body = agent.request("GET", f"/v1/kv/{prefix}?recurse")
    return {entry["Key"]: (entry["Value"], entry["Flags"]) for entry in json.loads(body)} if status == 200 else {}


def test_the_versions_of_a_key_last_over_a_kill(start_agent: StartAgent) -> None:
    agent = start_agent(durable=True)
    for value in (b"one\n", b"two\n"):
        agent.put("/v1/kv/app/port", value)
    agent.request("DELETE", "/v1/kv/app/port")
    agent.put("/v1/kv/app/port", b"three\n")
    agent.kill()
    agent.start()
    found = versions(agent, "app/port")
    assert [entry["Deleted"] for entry in found] == [False, True, False, False]
    assert [entry["Index"] for entry in found] == sorted((entry["Index"] for entry in found), reverse=True)
    shown = run(agent, "history", "app/port").stdout
    assert "three" in shown
    assert "(deleted)" in shown
    assert len(versions(agent, "app/port", "-limit=2")) == 2
    difference = run(agent, "history", "-diff", "app/port").stdout
    assert "-one\n+two\n" in difference


def test_a_tree_becomes_what_it_was() -> None:
    with running_agent() as agent:
        agent.put("/v1/kv/app/a?flags=7", b"1")
        agent.put("/v1/kv/app/b", b"2")
        agent.put("/v1/kv/apple", b"stays")
        before = tree(agent, "app/")
        index = versions(agent, "app/b")[0]["Index"]
        agent.put("/v1/kv/app/a", b"changed")
        agent.request("DELETE", "/v1/kv/app/b")
        agent.put("/v1/kv/app/c", b"new")
        agent.put("/v1/kv/apple", b"newer")
        after = tree(agent, "app/")
        planned = run(agent, "rollback", f"app/@{index}")
        assert (
            planned.stdout
            == "~ app/a\n+ app/b\n- app/c\nNothing was written. With -apply: 1 created, 1 changed, 1 deleted.\n"
        )
        assert tree(agent, "app/") == after
        done = run(agent, "rollback", "-apply", f"app/@{index}")
        assert done.returncode == 0, done.stderr
        assert tree(agent, "app/") == before
        assert tree(agent, "apple")["apple"][0] == "bmV3ZXI="
        again = run(agent, "rollback", f"app/@{index}").stdout
        assert again == f"Nothing to do: all is as it was at index {index}.\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("rollback", "app"), "use KEY@INDEX"),
        (("rollback", "app@999999"), "still to come"),
        (("history",), "Missing KEY"),
        (("history", "never"), "No key exists at: never"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], text: str) -> None:
    with running_agent() as agent:
        ended = run(agent, *words)
        assert ended.returncode == 1
        assert text in ended.stderr


def test_without_a_history_that_is_said() -> None:
    with running_agent(kv_history_versions=0) as agent:
        agent.put("/v1/kv/a", b"1")
        assert "keeps no history" in run(agent, "history", "a").stderr


_WRITES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "delete"]), st.binary(max_size=3)), max_size=12
)


@pytest.fixture(scope="module")
def shared() -> Any:
    with running_agent() as agent:
        yield agent


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_WRITES, _WRITES)
def test_any_state_returns(shared: AgentProcess, first: list[Any], then: list[Any]) -> None:
    shared.put("/v1/kv/p/always", b"x")
    _write(shared, first)
    _, headers, _ = shared.request("GET", "/v1/kv/p/?recurse")
    before, index = tree(shared, "p/"), headers["x-consul-index"]
    _write(shared, then)
    ended = run(shared, "rollback", "-apply", f"p/@{index}")
    assert ended.returncode == 0, ended.stderr
    assert tree(shared, "p/") == before


def _write(agent: AgentProcess, writes: list[Any]) -> None:
    for name, action, value in writes:
        if action == "put":
            agent.request("PUT", f"/v1/kv/p/{name}?flags={len(value)}", value)
        else:
            agent.request("DELETE", f"/v1/kv/p/{name}")


def test_the_history_of_a_prefix_shows_deleted_keys(shared: AgentProcess) -> None:
    shared.put("/v1/kv/h/a", b"one\n")
    shared.put("/v1/kv/h/b", b"two\n")
    index = versions(shared, "h/")[0]["Index"]
    shared.request("DELETE", "/v1/kv/h/a")
    shown = run(shared, "history", "h/").stdout
    assert [line.split()[-2:] for line in shown.splitlines()[1:]] == [
        ["h/a", "(deleted)"],
        ["h/b", "two·"],
        ["h/a", "one·"],
    ]
    assert [entry["Key"] for entry in versions(shared, "h/", "-limit=2")] == ["h/a", "h/b"]
    difference = run(shared, "history", "-diff", "-limit=1", "h/").stdout
    assert "--- h/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n" in difference
    assert "h/b" in run(shared, "history", "/").stdout
    planned = run(shared, "rollback", "-diff", f"h/@{index}").stdout
    assert "--- /dev/null\n+++ h/a\n@@ -0,0 +1 @@\n+one\n" in planned
    everything = run(shared, "rollback", f"/@{index}").stdout
    assert "+ h/a\n" in everything


@pytest.mark.single_server("etcd keeps old bytes for a while")
def test_purged_values_are_nowhere_in_the_data_folder(tmp_path: Path, start_agent: StartAgent) -> None:
    folder = tmp_path / "data"

    def holds(secret: bytes) -> bool:
        return any(secret in path.read_bytes() for path in folder.rglob("*") if path.is_file())

    agent = start_agent(folder, kv_history_exclude=["none/"])
    for path in ("s/a", "s/b", "s/gone", "none/a", "t"):
        agent.put(f"/v1/kv/{path}", b"old-hunter2-" * 20)
        agent.put(f"/v1/kv/{path}", b"new-hunter2-" * 20)
    agent.request("DELETE", "/v1/kv/s/gone")
    assert [entry["Deleted"] for entry in versions(agent, "none/a")] == [False]
    assert "kv_history_exclude" in run(agent, "rollback", "none/a@5").stderr
    for words in (("s/a",), ("-recurse", "s/"), ("t",), ("none/a",)):
        done = run(agent, "delete", "-purge", *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Success! Purged key")
    assert not holds(b"hunter2")
    assert versions(agent, "/") == []
    agent.put("/v1/kv/s/a", b"again")
    assert len(versions(agent, "s/a")) == 1
    assert not holds(b"hunter2")


@pytest.mark.single_server("the settings of the leader decide")
def test_a_reload_takes_the_history_from_excluded_keys(tmp_path: Path, start_agent: StartAgent) -> None:
    folder = tmp_path / "data"
    agent = start_agent(folder)
    for path in ("s/a", "t"):
        agent.put(f"/v1/kv/{path}", b"old-hunter2-" * 20)
        agent.put(f"/v1/kv/{path}", b"new")
    settings = json.loads(agent.config_file.read_text())
    agent.config_file.write_text(json.dumps(settings | {"kv_history_exclude": ["s/"], "kv_history_versions": 5}))
    assert agent.request("PUT", "/v1/agent/reload")[0] == 200
    eventually(lambda: len(versions(agent, "s/a")) == 1)
    assert len(versions(agent, "t")) == 2
    assert agent.request("DELETE", "/v1/kv/t?purge")[2] == b"true"
    assert not any(b"hunter2" in path.read_bytes() for path in folder.rglob("*") if path.is_file())
