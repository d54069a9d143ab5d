"""TCP, UDP, script and docker checks, with real sockets and programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.runners.dial import resolve
from pyconsul.agent.health.runners.docker import run_docker
from pyconsul.agent.health.runners.os_service import run_os_service
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.script import run_script
from pyconsul.agent.health.runners.tcp import run_tcp
from pyconsul.agent.health.runners.tls import TLSContexts
from pyconsul.agent.health.runners.udp import run_udp


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_tcp(serve, closed_port: str) -> None:
    address = await serve(nothing)
    assert await run_tcp(CheckDefinition(tcp=address), TLSContexts()) == Result(
        "passing", f"TCP connect {address}: Success"
    )
    assert await run_tcp(CheckDefinition(tcp=closed_port), TLSContexts()) == Result(
        "critical", f"dial tcp {closed_port}: connect: connection refused"
    )


@pytest.mark.parametrize(
    ("address", "output"),
    [
        ("foo", "dial tcp: address foo: missing port in address"),
        ("[::1", "dial tcp: address [::1: missing ']' in address"),
        ("[::1]", "dial tcp: address [::1]: missing port in address"),
        ("::1:80", "dial tcp: address ::1:80: too many colons in address"),
    ],
)
async def test_tcp_addresses_that_are_none(address: str, output: str) -> None:
    assert await run_tcp(CheckDefinition(tcp=address), TLSContexts()) == Result("critical", output)


async def test_tcp_with_tls_needs_tls(serve) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello, this is not TLS\r\n")
        await writer.drain()

    found = await run_tcp(CheckDefinition(tcp=await serve(greet), tcp_use_tls=True), TLSContexts())
    assert found == Result("critical", "tls: first record does not look like a TLS handshake")


async def test_names_that_cannot_be_one() -> None:
    with pytest.raises(socket.gaierror):
        await resolve("a..b", "80", socket.SOCK_STREAM)


async def test_udp(closed_port: str) -> None:
    found = await run_udp(CheckDefinition(udp=closed_port))
    assert found.status == "critical"
    assert found.output.startswith("read udp 127.0.0.1:")
    assert found.output.endswith(f"->{closed_port}: read: connection refused")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        found = await run_udp(CheckDefinition(udp=address, timeout=SECOND_NS // 50))
    assert found == Result("passing", f"UDP connect {address}: Success")


@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("echo fine", "passing", "fine\n"),
        ("echo hm; exit 1", "warning", "hm\n"),
        ("exit 2", "critical", ""),
        ("exit 77", "critical", ""),
        ("kill -9 $$", "critical", ""),
        ("echo to stdout; echo to stderr >&2", "passing", "to stdout\nto stderr\n"),
        ("cat", "passing", ""),
    ],
)
async def test_scripts(script: str, status: str, output: str) -> None:
    definition = CheckDefinition(script_args=["sh", "-c", script])
    assert await run_script(definition) == Result(status, output)


async def test_the_end_of_a_long_output_is_kept() -> None:
    definition = CheckDefinition(script_args=["printf", "%06d", *"123456789"], output_max_size=20)
    assert await run_script(definition) == Result("passing", "Captured 20 of 54 bytes\n...\n06000007000008000009")


@pytest.mark.parametrize(
    ("program", "output"),
    [
        ("/nonexistent/program", "fork/exec /nonexistent/program: no such file or directory"),
        ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
        ("/etc/passwd", "fork/exec /etc/passwd: permission denied"),
        ("a\0b", "fork/exec a\0b: invalid argument"),
    ],
)
async def test_programs_that_cannot_be_started(program: str, output: str) -> None:
    assert await run_script(CheckDefinition(script_args=[program])) == Result("critical", output)


async def test_a_script_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 300 & echo $! > {tmp_path}/child; echo begun; wait"
    definition = CheckDefinition(script_args=["sh", "-c", script], timeout=SECOND_NS * 3 // 10)
    found = await run_script(definition)
    assert found.status == "critical"
    assert found.output == "Timed out (300ms) running check\n\nbegun\n"
    child = int((tmp_path / "child").read_text())
    await _ended(child)


async def test_children_in_other_sessions_are_killed_too(tmp_path: Path) -> None:
    child = f"setsid sh -c 'echo $$ > {tmp_path}/child; sleep 300'"
    definition = CheckDefinition(script_args=["sh", "-c", f"({child} &); sleep 300"], timeout=SECOND_NS)
    assert (await run_script(definition)).status == "critical"
    await _ended(int((tmp_path / "child").read_text()))


async def _ended(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), 30)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def test_a_cancelled_script_is_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"echo $$ > {fifo}; sleep 300"
    task = asyncio.create_task(run_script(CheckDefinition(script_args=["sh", "-c", script])))
    pid = int(await asyncio.to_thread(fifo.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("steps", range(0, 24, 3))
async def test_a_script_may_be_cancelled_at_any_moment_of_its_start(tmp_path: Path, steps: int) -> None:
    task = asyncio.create_task(run_script(CheckDefinition(script_args=["sh", "-c", f": {tmp_path}; sleep 300; :"])))
    for _ in range(steps):
        await one_turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually_async(lambda: not _processes_with(str(tmp_path)))  # a killed grandchild may take a moment to end


def _processes_with(text: str) -> list[Path]:
    """Processes whose arguments contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text in path.read_text(errors="replace"):
                found.append(path)
    return found


def test_tail() -> None:
    tail = Tail(4)
    for data in (b"ab", b"cdef", b"", b"g"):
        tail.write(data)
    assert (tail.text(), tail.total) == ("defg", 7)
    assert tail.captured() == "Captured 4 of 7 bytes\n...\ndefg"
    tail.clear()
    assert (tail.captured(), tail.total) == ("", 0)


async def test_os_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\n[ "$3" = nginx.service ] && echo active && exit 0\necho inactive; exit 3\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = await run_os_service(CheckDefinition(os_service="nginx.service"))
    assert found == Result("passing", 'Service "nginx.service" is healthy')
    found = await run_os_service(CheckDefinition(os_service="other"))
    assert found == Result("critical", 'Service "other" is unhealthy: inactive')


class Engine:
    """A container engine that knows one container and how its programs end."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.commands: list[bytes] = []
        self.looks = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            body = await reader.readexactly(length)
            status, answer = self.answer(head.split(b" ")[1].decode(), body)
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        match path:
            case "/containers/web/exec":
                self.commands.append(body)
                return 201, b'{"Id": "e1"}'
            case "/containers/paused/exec":
                return 409, b""
            case "/exec/e1/start":
                return 200, b"\1\0\0\0\0\0\0\5from \2\0\0\0\0\0\0\6inside"
            case "/exec/e1/json":
                self.looks += 1  # at the first one, its output has ended, but the program has not yet
                return 200, f'{{"ExitCode": {self.code if self.looks > 1 else "null"}}}'.encode()
        return 404, b""


@pytest.mark.parametrize(("code", "status"), [(0, "passing"), (1, "warning"), (2, "critical")])
async def test_docker(serve, code: int, status: str) -> None:
    engine = Engine(code)
    host = f"tcp://{await serve(engine)}"
    definition = CheckDefinition(docker_container_id="web", script_args=["check", "it"])
    assert await run_docker(definition, host=host) == Result(status, "from inside")
    assert b'"Cmd":["check","it"]' in engine.commands[0].replace(b'", "', b'","').replace(b": ", b":")


@pytest.mark.parametrize(
    ("container", "output"),
    [
        ("nosuch", "create exec failed for unknown container nosuch"),
        ("paused", "create exec failed since container paused is paused or stopped"),
    ],
)
async def test_docker_without_the_container(serve, container: str, output: str) -> None:
    host = f"tcp://{await serve(Engine(0))}"
    definition = CheckDefinition(docker_container_id=container, script_args=["true"])
    assert await run_docker(definition, host=host) == Result("critical", output)


async def test_docker_without_an_engine(tmp_path: Path) -> None:
    definition = CheckDefinition(docker_container_id="web", script_args=["true"])
    found = await run_docker(definition, host=f"unix://{tmp_path}/none.sock")
    assert found == Result("critical", "create exec failed for container web: no such file or directory")
    found = await run_docker(definition, host="nonsense")
    assert found == Result("critical", "unable to parse docker host `nonsense`")
