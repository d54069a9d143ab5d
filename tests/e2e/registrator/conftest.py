"""A container engine, an agent, and registrators that end with their test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess
from support.container_engine import ContainerEngine, NoEngine, running_engine
from support.registrator import Registrator


@pytest.fixture(scope="module")
def engine() -> Iterator[ContainerEngine]:
    try:
        with running_engine(bridged=True) as engine:
            yield engine
    except NoEngine as error:
        pytest.skip(f"no container engine can run here: {error}")


@pytest.fixture(scope="module")
def module_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(tmp_path_factory.mktemp("agent"), log_level="warn", check_update_interval="0s").start()
    yield agent
    agent.stop()


@pytest.fixture
def agent(module_agent: AgentProcess) -> Iterator[AgentProcess]:
    """An agent without services."""
    yield module_agent
    for service in module_agent.get("/v1/agent/services"):
        module_agent.put(f"/v1/agent/service/deregister/{service}")


@pytest.fixture
def host() -> str:
    return socket.gethostname()


@pytest.fixture
def registrator(engine: ContainerEngine, agent: AgentProcess, tmp_path: Path) -> Iterator[Callable[..., Registrator]]:
    """Starts registrators; they and all containers are gone after the test."""
    started: list[Registrator] = []

    def start(*flags: str, uri: str = "", **environ: str) -> Registrator:
        one = Registrator(tmp_path, engine.host, uri or f"consul://{agent.address}", *flags, environ=environ)
        started.append(one.start())
        return one

    yield start
    for one in started:
        one.end()
    engine.clear()
