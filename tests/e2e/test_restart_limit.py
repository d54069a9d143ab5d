"""Restarts of a fleet, a few at a time: real tools, real children, a real agent. Children wait for the test: no time decides."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import PATIENCE, eventually

from pyconsul.agent.common.semaphore_list import SEMAPHORE_FLAGS

BIN = Path(sys.executable).parent

#: Writes what happens to it into the fleet's log; its end waits until the test lets it go.
CHILD = """
name=$1 folder=$2
trap 'echo "$name stopping" >> $folder/log
      while [ ! -e $folder/go-$name ]; do sleep 0.02; done
      echo "$name stopped" >> $folder/log; exit' INT
echo "$name start $v" >> $folder/log
while :; do sleep 0.02; done
"""


class Tool:
    """A pyenvconsul, whose stderr is kept."""

    def __init__(self, *arguments: str, address: str) -> None:
        environ = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": address}
        self.process = subprocess.Popen(
            [str(BIN / "pyenvconsul"), *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def end(self, sig: signal.Signals) -> int:
        self.process.send_signal(sig)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status


class Fleet:
    """Machines below one agent, and the log of their children."""

    def __init__(self, agent: AgentProcess, folder: Path, key: str) -> None:
        self.agent, self.folder, self.key = agent, folder, key
        self.tools: dict[str, Tool] = {}

    def change(self, value: str) -> None:
        self.agent.put(f"/v1/kv/{self.key}/settings/v", value.encode())

    def start(self, name: str, slots: int, *flags: str) -> Tool:
        limit = f"{self.key}/restarts:{slots}"
        child = ["sh", "-c", CHILD, "sh", name, str(self.folder)]
        flags = ("-prefix", f"{self.key}/settings", "-restart-limit", limit, "-exec-kill-timeout", "60s", *flags)
        self.tools[name] = Tool(*flags, *child, address=self.agent.address)
        eventually(lambda: any(line.startswith(f"{name} start") for line in self.log()))
        return self.tools[name]

    def let_go(self, name: str) -> None:
        (self.folder / f"go-{name}").touch()

    def log(self, word: str = "") -> list[str]:
        file = self.folder / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if word in line]

    def entries(self) -> list[dict[str, Any]]:
        """What is at the limit's key."""
        status, _, body = self.agent.request("GET", f"/v1/kv/{self.key}/restarts/?recurse")
        return list(json.loads(body)) if status == 200 else []

    def contenders(self) -> list[str]:
        """Return the sessions that have, or want, a place."""
        return [entry["Session"] for entry in self.entries() if entry.get("Session")]

    def holders(self) -> list[str]:
        lists = [entry for entry in self.entries() if entry["Key"].endswith("/.lock")]
        return list(json.loads(base64.b64decode(lists[0]["Value"]))["Holders"]) if lists else []

    def occupy(self, slots: int = 1) -> str:
        """Somebody else takes a place; the session."""
        session = str(self.agent.put("/v1/session/create", {"Name": "other"})["ID"])
        folder = f"/v1/kv/{self.key}/restarts"
        assert self.agent.put(f"{folder}/{session}?acquire={session}&flags={SEMAPHORE_FLAGS}")
        held = {"Limit": slots, "Holders": {session: True}}
        assert self.agent.put(f"{folder}/.lock?cas=0&flags={SEMAPHORE_FLAGS}", held)
        return session

    def destroy(self, session: str) -> None:
        self.agent.put(f"/v1/session/destroy/{session}")


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        yield running


def end_all(fleet: Fleet) -> None:
    for name, tool in fleet.tools.items():
        fleet.let_go(name)
        if tool.process.poll() is None:
            tool.end(signal.SIGTERM)


@pytest.fixture
def fleet(agent: AgentProcess, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    made = Fleet(agent, tmp_path, request.node.name)
    made.change("1")
    yield made
    end_all(made)


def test_restarts_come_one_after_another(fleet: Fleet) -> None:
    for name in "abc":
        fleet.start(name, 1)
    assert fleet.contenders() == [], "a first start asks nobody"
    fleet.change("2")
    for turn in range(3):
        # All that are left contend, one has the place, and its child alone is being ended.
        eventually(lambda left=3 - turn: len(fleet.contenders()) == left)
        eventually(lambda count=turn + 1: len(fleet.log("stopping")) == count)
        assert len(fleet.holders()) == 1
        assert len(fleet.log("stopped")) == turn
        fleet.let_go(fleet.log("stopping")[-1].split()[0])
    eventually(lambda: len(fleet.log("start 2")) == 3)
    ends = [line.split() for line in fleet.log("stop")]
    assert [word for _, word in ends] == ["stopping", "stopped"] * 3
    assert [name for name, _ in ends[::2]] == [name for name, _ in ends[1::2]]
    eventually(lambda: fleet.entries() == [])


def test_two_places(fleet: Fleet) -> None:
    for name in "abc":
        fleet.start(name, 2)
    fleet.change("2")
    eventually(lambda: len(fleet.log("stopping")) == 2 and len(fleet.contenders()) == 3)
    assert len(fleet.holders()) == 2
    fleet.let_go(fleet.log("stopping")[0].split()[0])
    eventually(lambda: len(fleet.log("stopping")) == 3)
    for name in "abc":
        fleet.let_go(name)
    eventually(lambda: len(fleet.log("start 2")) == 3)


def test_a_machine_that_dies_frees_its_place(fleet: Fleet) -> None:
    for name in "ab":
        fleet.start(name, 1)
    fleet.change("2")
    eventually(lambda: fleet.log("stopping") and len(fleet.contenders()) == 2)
    dead = fleet.log("stopping")[0].split()[0]
    fleet.tools[dead].process.kill()
    fleet.destroy(fleet.holders()[0])  # in place of the wait for its TTL
    alive = "ab".replace(dead, "")
    eventually(lambda: fleet.log(f"{alive} stopping"))
    fleet.let_go(alive)
    eventually(lambda: fleet.log(f"{alive} start 2"))
    eventually(lambda: fleet.holders() == [])


def test_a_place_that_is_held_after_the_restart(fleet: Fleet) -> None:
    for name in "ab":
        fleet.start(name, 1, "-restart-hold", "1h")
        fleet.let_go(name)
    fleet.change("2")
    eventually(lambda: len(fleet.log("start 2")) == 1 and len(fleet.contenders()) == 2)
    first = fleet.log("start 2")[0].split()[0]
    fleet.tools[first].end(signal.SIGTERM)  # its end gives the place back at once
    eventually(lambda: len(fleet.log("start 2")) == 2)


def test_a_session_that_ends_during_the_restart(fleet: Fleet) -> None:
    tool = fleet.start("a", 1)
    fleet.change("2")
    eventually(lambda: fleet.log("stopping"))
    fleet.destroy(fleet.holders()[0])
    fleet.let_go("a")
    eventually(lambda: fleet.log("a start 2"))
    eventually(lambda: "was lost before the restart was over" in tool.said)


def test_a_session_that_ends_during_the_wait(fleet: Fleet) -> None:
    other = fleet.occupy()
    fleet.start("a", 1)
    fleet.let_go("a")
    fleet.change("2")
    eventually(lambda: len(fleet.contenders()) == 2)
    (lost,) = set(fleet.contenders()) - {other}
    fleet.destroy(lost)
    eventually(lambda: set(fleet.contenders()) - {other, lost})
    assert fleet.log("stopping") == []
    fleet.destroy(other)
    eventually(lambda: fleet.log("a start 2"))


def test_the_end_while_waiting(fleet: Fleet) -> None:
    other = fleet.occupy()
    tool = fleet.start("a", 1)
    fleet.change("2")
    eventually(lambda: len(fleet.contenders()) == 2)
    (session,) = set(fleet.contenders()) - {other}
    assert tool.end(signal.SIGTERM) == 0
    assert fleet.contenders() == [other]
    assert session not in {entry["ID"] for entry in fleet.agent.get("/v1/session/list")}


def test_machines_that_disagree(fleet: Fleet) -> None:
    fleet.occupy(2)
    tool = fleet.start("a", 1)
    fleet.let_go("a")
    fleet.change("2")
    eventually(lambda: "disagrees" in tool.said)
    assert f"the key {fleet.key}/restarts/.lock has a limit of 2, this machine 1" in tool.said
    assert fleet.log("stopping") == []
    fleet.agent.request("DELETE", f"/v1/kv/{fleet.key}/restarts/.lock")
    eventually(lambda: fleet.log("a start 2"))


def test_places_are_shared_with_the_command_lock(fleet: Fleet) -> None:
    environ = {**os.environ, "CONSUL_HTTP_ADDR": fleet.agent.address, "SHELL": "/bin/sh"}
    words = ["lock", "-n=2", "-pass-stdin", f"{fleet.key}/restarts", "echo held; read line"]
    pipe = subprocess.PIPE
    others = [subprocess.Popen([str(BIN / "pyconsul"), *words], env=environ, stdin=pipe, stdout=pipe) for _ in "ab"]
    try:
        assert [other.stdout.readline() for other in others if other.stdout] == [b"held\n"] * 2
        fleet.start("a", 2)
        fleet.let_go("a")
        fleet.change("2")
        eventually(lambda: len(fleet.contenders()) == 3)
        assert fleet.log("stopping") == []
        others[0].communicate(b"\n", PATIENCE)
        eventually(lambda: fleet.log("a start 2"))
    finally:
        for other in others:
            if other.poll() is None:
                other.communicate(b"\n", PATIENCE)


def test_without_consul_the_old_settings_stay(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    agent = AgentProcess(tmp_path, tmp_path / "data").start()
    fleet = Fleet(agent, tmp_path / "fleet", "away")
    try:
        fleet.change("1")
        other = fleet.occupy()
        tool = fleet.start("a", 1)
        fleet.let_go("a")
        fleet.change("2")
        eventually(lambda: len(fleet.contenders()) == 2)
        agent.stop()
        eventually(lambda: "waits for a restart slot" in tool.said)
        assert fleet.log() == ["a start 1"]
        agent.start()
        fleet.destroy(other)
        eventually(lambda: fleet.log("a start 2"))
        assert tool.said.count("waits for a restart slot") == 1
    finally:
        end_all(fleet)
        agent.stop()


def test_the_end_while_consul_is_away(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    agent = AgentProcess(tmp_path).start()
    fleet = Fleet(agent, tmp_path / "fleet", "away")
    try:
        fleet.change("1")
        fleet.occupy()
        tool = fleet.start("a", 1)
        fleet.change("2")
        eventually(lambda: len(fleet.contenders()) == 2)
        agent.stop()
        eventually(lambda: "waits for a restart slot" in tool.said)
        assert tool.end(signal.SIGTERM) == 0
    finally:
        end_all(fleet)
        agent.stop()
