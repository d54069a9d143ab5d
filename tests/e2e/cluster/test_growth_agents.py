"""A real single server that grows while clients write, killed with -9 at random moments: every acknowledged write stays."""

from __future__ import annotations

import itertools
import random
import threading
from pathlib import Path

import pytest
from support.agent_process import AgentProcess
from support.etcd import needs_etcd
from support.eventually import eventually

pytestmark = [needs_etcd, pytest.mark.slow, pytest.mark.single_server("its servers form a cluster themselves")]


class Writer:
    """Writes a new key again and again, and remembers which writes were acknowledged."""

    def __init__(self, agent: AgentProcess) -> None:
        self.acknowledged: list[str] = []
        self._agent, self._stopped = agent, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stopped.is_set():
                return
            key = f"key-{number}"
            try:
                status, _, _ = self._agent.request("PUT", f"/v1/kv/{key}", key.encode())
            except OSError:
                continue
            if status == 200:
                self.acknowledged.append(key)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()


@pytest.mark.parametrize("seed", range(4))
def test_every_acknowledged_write_survives_kills_while_the_server_grows(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for name in ("s1", "s2"):
        (tmp_path / name).mkdir()
    first = AgentProcess(tmp_path / "s1", tmp_path / "s1" / "data", node_name="s1")
    second = AgentProcess(
        tmp_path / "s2",
        tmp_path / "s2" / "data",
        node_name="s2",
        bootstrap_expect=None,
        retry_join=[f"127.0.0.1:{first.lan_port}"],
        retry_interval="1s",
    )
    first.start()
    writer = Writer(first)
    try:
        eventually(lambda: len(writer.acknowledged) > 20)
        second.launch()
        for _ in range(3):
            waiting = threading.Event()
            waiting.wait(rng.uniform(0.0, 3.0))
            first.kill()
            first.launch()
            first.wait_until_ready()
        written = len(writer.acknowledged)
        eventually(lambda: len(first.get("/v1/status/peers")) == 2, first.log)
        eventually(lambda: len(writer.acknowledged) > written + 20, first.log)
        writer.stop()
        for agent in (first, second):
            eventually(lambda agent=agent: agent.request("GET", "/v1/kv/?keys")[0] == 200, agent.log)
            assert not set(writer.acknowledged) - set(agent.get("/v1/kv/?keys"))
    finally:
        writer.stop()
        first.kill()
        second.kill()
