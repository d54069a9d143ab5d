"""What all programs do alike: full, closed and abandoned standard output, and SIGINT in the background."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

PROGRAMS = {
    "pyconsul": ("pyconsul.cli.main", ["version"], 1),
    "pyconsul agent": ("pyconsul.cli.main", ["agent", "-h"], 1),
    "pyconsul-template": ("pyconsul.tools.template.main", ["-h"], 14),
    "pyenvconsul": ("pyconsul.tools.envconsul.main", ["-h"], 14),
}


@pytest.fixture(params=sorted(PROGRAMS))
def program(request: pytest.FixtureRequest) -> tuple[str, list[str], int]:
    """Its name in messages, its command line, and the exit code of a failure."""
    module, words, failure = PROGRAMS[request.param]
    code = f"import sys; from {module} import main; sys.exit(main())"
    return request.param.split()[0], [sys.executable, "-c", code, *words], failure


@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_output_that_cannot_be_written_is_one_line(
    program: tuple[str, list[str], int], redirection: str, reason: str
) -> None:
    name, argv, failure = program
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *argv], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (failure, f"{name}: cannot write to standard output: {reason}\n")


def test_a_reader_that_closes_its_pipe_is_not_an_error(program: tuple[str, list[str], int]) -> None:
    _, argv, failure = program
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (failure, b"")


def test_closed_input_and_errors_do_no_harm(program: tuple[str, list[str], int]) -> None:
    _, argv, _ = program
    done = subprocess.run(["sh", "-c", '"$@" <&- 2>&-', "sh", *argv], stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """An agent that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_sigint_ends_a_command_that_was_started_in_the_background(silent: socket.socket) -> None:
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    argv = [sys.executable, "-m", "pyconsul.cli.main", "kv", "watch", f"-http-addr={address}", "a"]
    process = subprocess.Popen(argv, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # noqa: PLW1509
    try:
        silent.settimeout(30)
        connection, _ = silent.accept()  # it asks, so it has started
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        connection.close()
    finally:
        process.kill()
        process.wait()


def test_an_agent_whose_log_cannot_be_written_goes_on() -> None:
    argv = [
        sys.executable,
        "-m",
        "pyconsul.cli.main",
        "agent",
        "-dev",
        "-http-port=0",
        "-dns-port=-1",
        "-serf-lan-port=-1",
    ]
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(argv, stdout=full, stderr=subprocess.PIPE)
    try:
        time.sleep(1)
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert b"Traceback" not in errors
    finally:
        process.kill()
        process.wait()
