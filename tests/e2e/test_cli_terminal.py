"""What people see on a terminal and what scripts read in a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
PYCONSUL = str(Path(sys.executable).parent / "pyconsul")


@pytest.fixture
def node(pyconsul: Run, cli_agent: str) -> None:
    """A node in the catalog beside the agent's own."""
    import urllib.request

    body = b'{"Node": "ext1", "Address": "10.0.0.1", "Service": {"Service": "web", "Tags": ["v1", "blue"]}}'
    request = urllib.request.Request(f"http://{cli_agent}/v1/catalog/register", body, method="PUT")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def on_terminal(words: list[str], environ: dict[str, str]) -> bytes:
    """What the program writes when a terminal is its standard output."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environ}
    environment = {name: value for name, value in environment.items() if value or name == "NO_COLOR"}
    process = subprocess.Popen([PYCONSUL, *words], stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait() == 0
    return shown


@pytest.mark.usefixtures("node")
def test_a_terminal_gets_a_table_and_a_pipe_gets_columns(pyconsul: Run, cli_agent: str) -> None:
    words = ["catalog", "nodes", "-service=web"]
    assert pyconsul(*words).stdout == b"Node  ID  Address   DC\next1      10.0.0.1  dc1\n"
    shown = on_terminal(words, {"CONSUL_HTTP_ADDR": cli_agent})
    assert b"ext1" in shown
    assert b"\x1b[" in shown
    assert "─".encode() in shown


@pytest.mark.usefixtures("node")
def test_no_color(cli_agent: str) -> None:
    words = ["catalog", "services", "-tags"]
    shown = on_terminal(words, {"CONSUL_HTTP_ADDR": cli_agent, "NO_COLOR": "1"})
    assert b"blue,v1" in shown
    assert b"\x1b[3" not in shown


def test_a_value_on_a_terminal_is_the_value(pyconsul: Run, cli_agent: str) -> None:
    pyconsul("kv", "put", "terminal/a", "plain [red]text")
    assert on_terminal(["kv", "get", "terminal/a"], {"CONSUL_HTTP_ADDR": cli_agent}) == b"plain [red]text\r\n"


def test_a_reader_that_goes_away_is_no_disaster(pyconsul: Run, cli_agent: str) -> None:
    data = ",".join(f'{{"key": "many/{number:04}", "value": "{"eA" * 60}=="}}' for number in range(1200))
    assert pyconsul("kv", "import", "-", stdin=f"[{data}]".encode()).returncode == 0
    environment = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent}
    command = f"{PYCONSUL} kv get -recurse many/ | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, check=False, timeout=30)
    assert done.stdout.startswith(b"many/0000:")
    assert done.stderr == b""
