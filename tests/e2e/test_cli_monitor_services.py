"""`pyconsul monitor -services` in a pipe and in a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator

import pytest
from support.agent_process import PROGRAM, AgentProcess, running_agent

ENVIRON = {**os.environ, "TERM": "xterm-256color", "LINES": "30", "COLUMNS": "120"}


@pytest.fixture
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        check = {"TTL": "10m", "Status": "passing"}
        running.put("/v1/agent/service/register", {"Name": "web", "Port": 80, "Check": check})
        yield running


def command(agent: AgentProcess) -> list[str]:
    return [*PROGRAM, "monitor", "-services", f"-http-addr={agent.address}"]


@pytest.mark.single_server("only a development agent forgets the service")
def test_in_a_pipe_each_change_is_a_line_and_the_agent_may_come_back(agent: AgentProcess) -> None:
    process = subprocess.Popen(command(agent), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = ""
        for number in range(1000):  # Until it has begun to look, changes are part of what it finds.
            agent.put(f"/v1/agent/check/{('fail', 'pass')[number % 2]}/service:web?note=try-{number}")
            os.set_blocking(process.stdout.fileno(), False)
            line = process.stdout.readline()
            if line:
                break
        os.set_blocking(process.stdout.fileno(), True)
        line = line or process.stdout.readline()
        assert " web: " in line
        assert "(was " in line
        agent.stop()
        assert "refused" in process.stderr.readline()
        agent.start()
        assert process.stderr.readline() == "The agent answers again.\n"
        while "web: gone" not in line:  # The new agent knows nothing of it.
            line = process.stdout.readline()
            assert line, "it has ended"
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_on_a_terminal_it_is_a_screen_that_q_ends(agent: AgentProcess) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(command(agent), stdin=follower, stdout=follower, stderr=follower, env=ENVIRON)
    os.close(follower)
    shown = b""
    while b"q ends" not in shown:
        shown += os.read(leader, 65536)
    assert b"web" in shown
    assert b"Last change" in shown
    agent.put("/v1/agent/check/fail/service:web?note=it%20burns")
    while b"it burns" not in shown:
        shown += os.read(leader, 65536)
    os.write(leader, b"q")
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:
        """The other side is closed."""
    assert process.wait(30) == 0
    assert b"\x1b[?1049l" in shown, "the screen is left as it was"
    os.close(leader)
