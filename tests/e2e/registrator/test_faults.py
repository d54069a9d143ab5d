"""Registrator, engine and agent end and come back in random order; then catalog and engine agree, each time."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from support.agent_process import AgentProcess
from support.container_engine import ContainerEngine
from support.registrator import Registrator, agree, create, running, start

SHORT_S = 5.0
LONG_S = 120.0


class World:
    """The parts, and what may happen to them."""

    def __init__(
        self, engine: ContainerEngine, agent: AgentProcess, registrator: Registrator, rng: random.Random
    ) -> None:
        self._engine = engine
        self._agent = agent
        self._registrator = registrator
        self._rng = rng
        self._count = 0
        self.done: list[str] = []

    def act(self) -> None:
        """Let something happen."""
        actions = (
            self.start,
            self.start,
            self.start,
            self.remove,
            self.remove,
            self.kill_registrator,
            self.restart_agent,
        )
        action = self._rng.choice((*actions, self.restart_engine))
        self.done.append(action.__name__)
        action()

    def start(self) -> None:
        self._count += 1
        name = f"web{self._count}"
        restart = self._rng.choice(("", "always"))
        create(self._engine, name, ports=["127.0.0.1::80"], restart=restart, StopTimeout=1)
        start(self._engine, name)

    def remove(self) -> None:
        if names := sorted(running(self._engine)):
            self._engine.remove(self._rng.choice(names))

    def kill_registrator(self) -> None:
        self._registrator.end(SIGKILL)
        if self._rng.random() < 0.5:
            self._rng.choice((self.start, self.remove, self.restart_agent))()
        self._registrator.start()

    def restart_agent(self) -> None:
        """An agent in -dev mode forgets everything."""
        if self._rng.random() < 0.5:
            self._agent.kill()
        else:
            self._agent.stop()
        if self._rng.random() < 0.5:
            self.start()
        self._agent.start()

    def restart_engine(self) -> None:
        """Containers end with it; those with a restart policy come back."""
        self._engine.kill()
        self._engine.start()


@pytest.fixture
def faulty_agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = AgentProcess(tmp_path, log_level="warn").start()
    yield agent
    agent.stop()


@pytest.mark.parametrize("seconds", [SHORT_S, pytest.param(LONG_S, marks=pytest.mark.slow)])
def test_catalog_and_engine_agree(
    engine: ContainerEngine, faulty_agent: AgentProcess, tmp_path: Path, host: str, seconds: float
) -> None:
    seed = int(os.environ.get("PYCONSUL_SEED", random.randrange(1 << 32)))
    flags = ("-retry-attempts", "-1", "-retry-interval", "100")  # at its start agent and engine may be away
    tool = Registrator(tmp_path, engine.host, f"consul://{faulty_agent.address}", *flags).start()
    world = World(engine, faulty_agent, tool, random.Random(seed))
    latest = time.monotonic() + seconds
    try:
        while time.monotonic() < latest:
            for _ in range(3):
                world.act()
            agree(engine, faulty_agent, host, tool)
        for action in (world.start, world.kill_registrator, world.restart_engine, world.restart_agent):
            action()  # each of them at least once
        agree(engine, faulty_agent, host, tool)
        print(f"seed {seed}: {len(world.done)} actions: {world.done}")
    except BaseException:
        print(f"PYCONSUL_SEED={seed}", world.done)
        raise
    finally:
        tool.end()
        engine.clear()
