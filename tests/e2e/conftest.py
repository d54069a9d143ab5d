"""A running agent, and `pyconsul` as a program, for the tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.ports import free_port

PYCONSUL = str(Path(sys.executable).parent / "pyconsul")
PATIENCE = 30.0  # seconds until something that must happen counts as not happening


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "the agent has ended"
        try:
            with urllib.request.urlopen(f"http://{address}/v1/status/leader", timeout=PATIENCE) as response:
                if len(response.read()) > 4:
                    return
        except OSError:
            assert time.monotonic() < deadline, "the agent does not answer"
        time.sleep(0.05)


@contextmanager
def _agent(folder: Path, **settings: object) -> Iterator[str]:
    port = free_port()
    ports = {
        "http": port,
        "dns": -1,
        "server": free_port(),
        "serf_lan": -1,
        "serf_wan": -1,
        "grpc": -1,
        "grpc_tls": -1,
    }
    config = {"node_name": "n1", "bind_addr": "127.0.0.1", "log_level": "warn", "ports": ports, **settings}
    (folder / "agent.json").write_text(json.dumps(config))
    command = [PYCONSUL, "agent", "-dev", "-config-file", str(folder / "agent.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for(f"127.0.0.1:{port}", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def cli_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an agent in -dev mode."""
    with _agent(tmp_path_factory.mktemp("cli-agent")) as address:
        yield address


@pytest.fixture(scope="session")
def acl_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables to reach an agent with ACLs, as one who may do everything."""
    secret = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": secret, "agent": secret}}
    with _agent(tmp_path_factory.mktemp("acl-agent"), acl=acl) as address:
        yield {"CONSUL_HTTP_ADDR": address, "CONSUL_HTTP_TOKEN": secret}


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
