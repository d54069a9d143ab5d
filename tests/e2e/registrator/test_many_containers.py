"""200 containers on a scripted engine: each difference is written once, and nothing else."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from support.agent_process import AgentProcess
from support.containers import container_id, described
from support.eventually import eventually
from support.ports import free_ports
from support.registrator import Registrator, registered
from support.scripted_engine import ScriptedEngine

COUNT = 200
CHANGED = 50


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine(tmp_path).start()
    yield engine
    engine.stop()


class Counted:
    """A registrator whose writes are counted."""

    def __init__(self, folder: Path, engine: str, agent: AgentProcess) -> None:
        (port,) = free_ports(1)
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        flags = ("-ip", "127.0.0.1", "-resync", "1", "-status-addr", f"127.0.0.1:{port}", "-log-level", "warn")
        self.process = Registrator(folder, engine, f"consul://{agent.address}", *flags).start()

    def number(self, name: str) -> int:
        """Return the value of a metric; -1 while the page does not answer."""
        try:
            with urllib.request.urlopen(self._metrics, timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return -1
        found = re.search(rf"^pyconsul_registrator_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return int(float(found[1])) if found is not None else 0

    def writes(self, kind: str) -> int:
        return self.number(f'writes_total{{kind="{kind}"}}')

    def settled(self) -> None:
        """Wait for another whole comparison."""
        looks = self.number("looks_total")
        eventually(lambda: self.number("looks_total") >= looks + 2)


@pytest.fixture
def start(tmp_path: Path, scripted: ScriptedEngine, agent: AgentProcess) -> Iterator[Callable[[], Counted]]:
    started: list[Counted] = []

    def run() -> Counted:
        started.append(Counted(tmp_path, scripted.host, agent))
        return started[-1]

    yield run
    for one in started:
        one.process.end()


def web(number: int, port: int = 0) -> dict[str, object]:
    return described(f"web{number}", ports=[f"0.0.0.0:{port or 20000 + number}:80"], env=["SERVICE_CHECK_TTL=1h"])


def test_only_differences_are_written(
    scripted: ScriptedEngine, agent: AgentProcess, start: Callable[[], Counted]
) -> None:
    for number in range(COUNT):
        scripted.run(web(number))
    tool = start()
    eventually(lambda: len(registered(agent)) == COUNT, tool.process.log)
    tool.settled()
    assert (tool.writes("register"), tool.writes("deregister")) == (COUNT, 0)

    for number in range(CHANGED):  # a burst of removals, and as many others
        scripted.remove(container_id(f"web{number}"))
        scripted.run(web(COUNT + number))
    eventually(lambda: tool.writes("deregister") == CHANGED)
    tool.settled()
    assert len(registered(agent)) == COUNT
    assert (tool.writes("register"), tool.writes("deregister")) == (COUNT + CHANGED, CHANGED)

    scripted.stop()  # the engine goes away and comes back
    scripted.start()
    eventually(lambda: tool.number('outages_total{connection="the engine"}') == 1)
    eventually(lambda: tool.number('up{connection="the engine"}') == 1)
    tool.settled()
    assert tool.writes("register") == COUNT + CHANGED

    tool.process.end(SIGKILL)
    other = start()
    eventually(lambda: other.number("looks_total") > 0)
    other.settled()
    assert (other.writes("register"), other.writes("deregister")) == (0, 0)
    assert len(registered(agent)) == COUNT
