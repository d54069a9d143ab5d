"""A running agent, and `pyconsul` as a program, for the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess, StartAgent, running_agent
from support.eventually import PATIENCE

PYCONSUL = str(Path(sys.executable).parent / "pyconsul")


@pytest.fixture(scope="session")
def cli_agent() -> Iterator[str]:
    """The address of an agent in -dev mode."""
    with running_agent(log_level="warn") as agent:
        yield agent.address


@pytest.fixture(scope="session")
def acl_agent() -> Iterator[dict[str, str]]:
    """The variables to reach an agent with ACLs, as one who may do everything."""
    secret = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": secret, "agent": secret}}
    with running_agent(acl=acl, log_level="warn") as agent:
        yield {"CONSUL_HTTP_ADDR": agent.address, "CONSUL_HTTP_TOKEN": secret}


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[StartAgent]:
    """Starts agents of the test's own, which are stopped after it: `start_agent(durable=True, log_level="debug")`."""
    agents: list[AgentProcess] = []

    def start(durable: bool = False, **settings: Any) -> AgentProcess:
        folder = tmp_path / f"agent{len(agents)}" if agents else tmp_path
        folder.mkdir(exist_ok=True)
        agents.append(AgentProcess(folder, folder / "data" if durable else None, **settings))
        return agents[-1].start()

    yield start
    for agent in agents:
        agent.stop()


@pytest.fixture
def pyconsul(cli_agent: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs `pyconsul` with words, against the agent, in a folder of the test's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONSUL_", "PYCONSUL_"))}

    def run(*words: str | bytes, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**clean, "CONSUL_HTTP_ADDR": cli_agent, **environ}
        return subprocess.run(
            [PYCONSUL, *words],
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            cwd=tmp_path,
        )

    return run
