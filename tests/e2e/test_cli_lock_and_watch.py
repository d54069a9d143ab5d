"""`pyconsul lock` and `pyconsul watch`: programs that stay. What they do is read from their pipes: no time decides."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., "subprocess.Popen[bytes]"]
PYCONSUL = str(Path(sys.executable).parent / "pyconsul")
PATIENCE = 30.0


@pytest.fixture
def start(cli_agent: str) -> Iterator[Start]:
    """Starts `pyconsul` with words, its standard streams being pipes; what still runs in the end is killed."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent, "SHELL": "/bin/sh"}
        pipe = subprocess.PIPE
        process = subprocess.Popen([PYCONSUL, *words], env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def end(process: subprocess.Popen[bytes], answer: bytes = b"") -> tuple[int, bytes, bytes]:
    out, err = process.communicate(answer, timeout=PATIENCE)
    return process.returncode, out, err


HOLD = "echo held; read line; echo released"


def test_one_holder_at_a_time(start: Start, pyconsul: Run) -> None:
    holder = start("lock", "-pass-stdin", "jobs/one", HOLD)
    assert line(holder) == b"held\n"
    assert pyconsul("kv", "get", "-keys", "-separator=", "jobs/one").stdout == b"jobs/one/.lock\n"
    refused = pyconsul("lock", "-timeout=300ms", "jobs/one", "echo never")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert pyconsul("lock", "-timeout=300ms", "-detailed-exitcode", "jobs/one", "true").returncode == 6
    waiting = start("lock", "jobs/one", "echo mine now")
    assert end(holder, b"\n") == (0, b"released\n", b"")
    assert end(waiting)[:2] == (0, b"mine now\n")
    assert pyconsul("kv", "get", "-keys", "jobs/one").stdout == b""


def test_a_semaphore_has_as_many_holders_as_it_says(start: Start, pyconsul: Run) -> None:
    holders = [start("lock", "-n=2", "-pass-stdin", "jobs/two", HOLD) for _ in range(2)]
    for holder in holders:
        assert line(holder) == b"held\n"
    assert pyconsul("lock", "-n=2", "-timeout=300ms", "jobs/two", "echo never").returncode == 1
    wrong = pyconsul("lock", "-n=3", "-timeout=300ms", "jobs/two", "echo never")
    assert b"limit conflict (lock: 2, here: 3)" in wrong.stderr
    for holder in holders:
        assert end(holder, b"\n") == (0, b"released\n", b"")
    assert pyconsul("kv", "get", "-keys", "-separator=", "jobs/two").stdout == b""


def test_a_key_that_is_no_lock_is_left_alone(pyconsul: Run) -> None:
    pyconsul("kv", "put", "jobs/three/.lock", "precious")
    refused = pyconsul("lock", "-timeout=1s", "jobs/three", "echo never")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"is not a lock" in refused.stderr
    assert pyconsul("kv", "get", "jobs/three/.lock").stdout == b"precious\n"


LOOP = "trap 'echo ended; exit 4' TERM; echo held; while :; do sleep 0.05; done"


def test_a_child_is_ended_when_the_lock_is_lost(start: Start, pyconsul: Run) -> None:
    holder = start("lock", "-verbose", "-child-exit-code", "jobs/four", LOOP)
    while (said := line(holder)) != b"held\n":
        assert said, "it ended without running the child"
    pyconsul("kv", "delete", "jobs/four/.lock")
    code, out, err = end(holder)
    assert code == 2
    assert out.startswith(b"ended\n")
    assert b"Lock lost" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_child_and_frees_the_lock(start: Start, pyconsul: Run, number: signal.Signals) -> None:
    holder = start("lock", "jobs/five", LOOP)
    assert line(holder) == b"held\n"
    holder.send_signal(number)
    assert end(holder)[:2] == (0, b"ended\n")
    assert pyconsul("kv", "get", "-keys", "jobs/five").stdout == b""


def test_a_child_that_cannot_be_started(pyconsul: Run) -> None:
    done = pyconsul("lock", "-shell=false", "-child-exit-code", "jobs/six", "/nothing/here")
    assert done.returncode == 2
    assert b"Error starting handler" in done.stderr


def test_a_watch_feeds_its_handler_every_change(start: Start, pyconsul: Run) -> None:
    pyconsul("kv", "put", "watched", "one")
    watching = start("watch", "-type=key", "-key=watched", "cat; echo $CONSUL_INDEX")
    first = json.loads(line(watching))
    assert (first["Key"], first["Value"]) == ("watched", "b25l")
    index = int(line(watching))
    pyconsul("kv", "put", "watched", "two")
    assert json.loads(line(watching))["Value"] == "dHdv"
    assert int(line(watching)) > index
    pyconsul("kv", "delete", "watched")
    assert json.loads(line(watching)) is None
    line(watching)
    watching.send_signal(signal.SIGINT)
    assert end(watching) == (0, b"", b"")


def test_a_handler_that_fails_ends_the_watch(pyconsul: Run) -> None:
    done = pyconsul("watch", "-type=nodes", "exit 3")
    assert done.returncode == 1
    assert b"exit status 3" in done.stderr


def test_without_a_handler_the_data_is_printed_once(pyconsul: Run) -> None:
    pyconsul("kv", "put", "once/a", "1")
    shown: Any = json.loads(pyconsul("watch", "-type=keyprefix", "-prefix=once/").stdout)
    assert [entry["Key"] for entry in shown] == ["once/a"]
