"""Machines that share a restart limit load their files in turn. Loads wait for the test: no time decides."""

from __future__ import annotations

import json
import signal
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually

from pyconsul.tools.consul.semaphore import TTL

LOAD = """
echo "$1 begins $(cat $1.out)" >> log
while [ ! -e go-$1 ]; do sleep 0.02; done
echo "$1 ends" >> log
"""
CHILD = """
echo "$1 start $(cat $1.out)" >> log
trap 'sh load.sh $1; exit' INT
while :; do sleep 0.02; done
"""
#: Seconds: a place that is not given back in time is free when its session ends, after twice its TTL at the latest; and
#: two machines may be that slow.
TURNS = 4 * TTL + PATIENCE


class Machines:
    """Tools in one folder, and what they have done."""

    def __init__(self, agent: Any, folder: Path, template: Any, key: str) -> None:
        self._agent, self.folder, self._template, self.key = agent, folder, template, key
        (folder / "in.j2").write_text("{{ key('" + key + "/v') }}")
        (folder / "load.sh").write_text(LOAD)
        (folder / "child.sh").write_text(CHILD)

    def change(self, value: str) -> None:
        self._agent.put(f"{self.key}/v", value)

    def start(self, name: str, *flags: str, command: str = "") -> Any:
        limit = ("-restart-limit", f"{self.key}/loads:1", "-exec-kill-timeout", "60s")
        return self._template(self._agent, "-template", f"in.j2:{name}.out{command}", *limit, *flags)

    def let_go(self, name: str, go: bool = True) -> None:
        file = self.folder / f"go-{name}"
        file.touch() if go else file.unlink()

    def log(self, word: str = "") -> list[str]:
        file = self.folder / "log"
        return [line for line in file.read_text().splitlines() if word in line] if file.exists() else []

    def contenders(self) -> int:
        try:
            found = json.loads(self._agent.request("GET", f"/v1/kv/{self.key}/loads/?recurse"))
        except urllib.error.HTTPError:
            return 0
        return sum(bool(entry.get("Session")) for entry in found)

    def reach(self, value: str, loads: int, *, contenders: int) -> None:
        """Wait until so many loads of a value have begun, and so many machines have a place or wait for one."""
        eventually(
            lambda: len(self.log(f"begins {value}")) == loads and self.contenders() == contenders, patience=TURNS
        )


@pytest.fixture
def machines(agent: Any, template: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Machines:
    made = Machines(agent, tmp_path, template, request.node.name)
    made.change("1")
    return made


def test_commands_run_one_machine_at_a_time_with_the_latest_files(machines: Machines) -> None:
    for name in "ab":
        machines.let_go(name)
        tool = machines.start(name, command=f":sh load.sh {name}")
        tool.shows(f"{name}.out", "1")
        eventually(lambda name=name: f"{name} ends" in machines.log())
        machines.let_go(name, go=False)
    machines.change("2")
    machines.reach("2", 1, contenders=2)
    first = machines.log("begins 2")[0][0]
    other = "ab".replace(first, "")
    assert (machines.folder / f"{other}.out").read_text() == "1", "the files wait, too"
    machines.change("3")
    for name in "ab":
        machines.let_go(name)
    machines.reach("3", 2, contenders=0)
    words = [line.split()[1] for line in machines.log()]
    assert words == ["begins", "ends"] * (len(words) // 2), machines.log()


def test_children_restart_in_turn(machines: Machines) -> None:
    for name in "ab":
        machines.start(name, "-exec", f"exec sh child.sh {name}")
        eventually(lambda name=name: f"{name} start 1" in machines.log())
    assert machines.contenders() == 0, "a first start asks nobody"
    machines.change("2")
    for turn in (1, 2):
        machines.reach("2", turn, contenders=3 - turn)
        machines.let_go(machines.log("begins 2")[-1][0])
    eventually(lambda: len(machines.log("start 2")) == 2)
    words = [line.split() for line in machines.log() if "start" not in line]
    assert [word[1] for word in words] == ["begins", "ends"] * 2


def test_a_requested_slot_does_not_delay_the_end(machines: Machines) -> None:
    tools = {}
    for name in "ab":
        machines.let_go(name)
        tools[name] = machines.start(name, command=f":sh load.sh {name}")
        eventually(lambda name=name: machines.log(f"{name} ends"))
        machines.let_go(name, go=False)
    machines.change("2")
    machines.reach("2", 1, contenders=2)
    first = machines.log("begins 2")[0][0]
    waiting = "ab".replace(first, "")
    tools[waiting].end(signal.SIGTERM)
    machines.reach("2", 1, contenders=1)
    assert machines.log(f"{waiting} begins 2") == []
    machines.let_go(first)
    eventually(lambda: len(machines.log(f"{first} ends")) == 2)
    assert tools[first].process.poll() is None
