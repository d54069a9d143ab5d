"""Script checks: a program's exit code is the status (0 passing, 1 warning, else critical), what it prints is the output."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path

from pyconsul.agent.common.go.durations import SECOND_NS, format_go_duration_ns
from pyconsul.agent.common.go.network_errors import LOCAL_FAULTS, phrase
from pyconsul.agent.common.process.child_process import signal_group
from pyconsul.agent.health.definition import DEFAULT_OUTPUT_SIZE, CheckDefinition, output_limit, seconds_allowed
from pyconsul.agent.health.runners.result import LocalFault, Result, Tail
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING

TIMEOUT = 30.0  # seconds; for scripts without a timeout
MAX_SCANS = 5
RUN_VARIABLE = "PYCONSUL_CHECK_RUN"  # in the environment of a program and its descendants


def status_of_exit(code: int) -> str:
    """Return the status that an exit code stands for."""
    return PASSING if code == 0 else WARNING if code == 1 else CRITICAL


class _Watch(asyncio.SubprocessProtocol):
    """Collects the output of a program.  `exited`: it has ended; `closed`: its output is closed, by its children too.

    `run` is an entry of its environment that no other process has, unless the program started it.
    """

    def __init__(self, tail: Tail, loop: asyncio.AbstractEventLoop) -> None:
        self.tail = tail
        self.run = f"{RUN_VARIABLE}={secrets.token_hex(16)}"
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        self.tail.write(data if isinstance(data, bytes) else data.encode())

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


async def run_script(definition: CheckDefinition, agent_limit: int = DEFAULT_OUTPUT_SIZE) -> Result:
    """Run the program in a new process group; at its timeout the whole group is killed."""
    tail = Tail(output_limit(definition, agent_limit))
    allowed = seconds_allowed(definition, TIMEOUT)
    code = await run_program(definition.script_args, tail, allowed)
    if isinstance(code, str):
        return Result(CRITICAL, code)
    if code is None:
        return Result(CRITICAL, timed_out(allowed, tail))
    return Result(status_of_exit(code), tail.captured())


async def run_program(arguments: list[str], tail: Tail, allowed: float) -> int | str | None:
    """Run a program until it ends and its output is closed: its exit code, or why it did not start, or None for a timeout."""
    watch = _Watch(tail, asyncio.get_running_loop())
    try:
        transport = await _start(arguments, watch)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (*LOCAL_FAULTS, errno.EAGAIN):
            raise LocalFault(phrase(error)) from error
        return start_fault(arguments[0], error)
    try:
        async with asyncio.timeout(allowed):
            await watch.closed
            await watch.exited
        return transport.get_returncode()
    except TimeoutError:
        return None
    finally:
        await _end(transport, watch)


async def _start(arguments: list[str], watch: _Watch) -> asyncio.SubprocessTransport:
    # A group, since a program may leave children behind that keep the pipe open: they are killed with it.
    # Not a `supervised_child.Child`: its preparation would fork this process, once for each run of each check.
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            lambda: watch,
            *arguments,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            env={**os.environ, RUN_VARIABLE: watch.run.partition("=")[2]},
        )
    )
    try:
        transport, _ = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled half-way, asyncio would end the program alone, and wait for its children.
        with contextlib.suppress(OSError, ValueError):
            transport, _ = await starting
            await _end(transport, watch)
        raise
    return transport


async def _end(transport: asyncio.SubprocessTransport, watch: _Watch) -> None:
    """Kill the program and its children, if they still run."""
    if not (watch.exited.done() and watch.closed.done()):
        signal_group(transport.get_pid(), signal.SIGKILL)
        await asyncio.to_thread(_kill_run, watch.run.encode())
        await watch.exited
    transport.close()


def _kill_run(run: bytes) -> None:
    """Kill the descendants of a program in other sessions, found by their environment."""
    for _ in range(MAX_SCANS):  # a process may start another while they are looked at
        try:
            found = [int(name) for name in os.listdir("/proc") if name.isdecimal() and _is_of_run(name, run)]
        except OSError:  # no descriptor is left
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _is_of_run(pid: str, run: bytes) -> bool:
    try:
        return run in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or it is another user's
        return False


def timed_out(allowed: float, tail: Tail) -> str:
    """Return the output of a run that exceeded `allowed` seconds."""
    text = f"Timed out ({format_go_duration_ns(round(allowed * SECOND_NS))}) running check"
    return f"{text}\n\n{tail.captured()}" if tail.total else text


def start_fault(program: str, error: Exception) -> str:
    """Return why a program could not be started."""
    if not isinstance(error, OSError):
        return f"fork/exec {program}: invalid argument"
    if "/" not in program and isinstance(error, FileNotFoundError):
        return f'exec: "{program}": executable file not found in $PATH'
    return f"fork/exec {program}: {phrase(error)}"
