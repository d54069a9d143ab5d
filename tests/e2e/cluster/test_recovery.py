"""Two real agents of which one loses its disk: the other one goes on by `pyconsul operator recover`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.agent_process import PROGRAM, AgentProcess
from support.etcd import needs_etcd
from support.eventually import eventually

pytestmark = needs_etcd


def server(folder: Path, name: str, join: list[str]) -> AgentProcess:
    (folder / name).mkdir()
    performance = {"raft_multiplier": 1}
    return AgentProcess(
        folder / name,
        folder / name / "data",
        node_name=name,
        bootstrap_expect=2,
        retry_join=join,
        performance=performance,
    )


def recover(agent: AgentProcess, answer: bytes) -> subprocess.CompletedProcess[bytes]:
    argv = [*PROGRAM, "operator", "recover", f"-http-addr={agent.address}"]
    return subprocess.run(argv, input=answer, capture_output=True, check=False, timeout=60)


def test_the_survivor_goes_on_after_one_question(tmp_path: Path) -> None:
    first = server(tmp_path, "s1", [])
    second = server(tmp_path, "s2", [f"127.0.0.1:{first.lan_port}"])
    agents = [first, second]
    try:
        for agent in agents:
            agent.launch()
        for agent in agents:
            agent.wait_until_ready()
        eventually(lambda: first.request("PUT", "/v1/kv/a", b"v")[0] == 200)
        eventually(lambda: second.request("GET", "/v1/kv/a")[0] == 200)
        assert b"nothing to recover" in recover(first, b"").stderr
        second.kill()
        shutil.rmtree(second.folder / "data")
        eventually(
            lambda: b"s1 " in (declined := recover(first, b"no\n")).stdout and b"nothing was changed" in declined.stderr
        )
        done = recover(first, b"yes\n")
        assert b"s1 goes on alone from index" in done.stdout, done
        eventually(lambda: first.request("GET", "/v1/kv/a")[0] == 200)
        second.start()
        eventually(lambda: second.request("GET", "/v1/kv/a?raw")[2] == b"v")
    finally:
        for agent in agents:
            agent.kill()
