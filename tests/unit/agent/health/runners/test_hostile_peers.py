"""What the peer of a check sends is bounded in bytes, parts, processor time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import uvloop
from support import hostile
from support.hostile import Speak, serving

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.runners.docker import run_docker
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.run import Runners

pytestmark = pytest.mark.usefixtures("no_collections")

ALLOWED_S = 0.4  # a check's timeout
LATE_S = 1.6  # above that, for a machine that is busy with other tests
MAX_SHARE = 20  # times the processor time of the reference; what is not bounded takes hundreds
MAX_OUTPUT = 8192

Measured = tuple[Result, float, float]  # the result, seconds of this thread's processor time, seconds on the clock


def reference_s() -> float:
    """Processor time of a fixed piece of work, about 20 ms."""
    began = time.thread_time()
    sum(hash((number, number)) for number in range(200_000))
    return time.thread_time() - began


def measured(run: Callable[[], Awaitable[Result]]) -> Measured:
    """Run a check on the loop that the agent has."""

    async def main() -> Measured:
        cpu, clock = time.thread_time(), time.monotonic()
        result = await run()
        return result, time.thread_time() - cpu, time.monotonic() - clock

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def definition(**fields: object) -> CheckDefinition:
    return CheckDefinition(timeout=int(ALLOWED_S * 1e9), interval=10**10, **fields)  # type: ignore[arg-type]


def check_of(kind: str, address: str, speak: Speak | None = None) -> Callable[[], Awaitable[Result]]:
    if kind == "docker":
        how = definition(docker_container_id="c", script_args=["true"])
        return partial(run_docker, how, host=f"unix://{address}")
    target = {"http": f"http://{address}/", "grpc": address, "h2ping": address, "tcp": address, "udp": address}[kind]
    return lambda: Runners().run(kind, definition(**{kind: target}))


def assert_bounded(found: Measured, status: str = "critical") -> None:
    result, cpu_s, clock_s = found
    assert result.status == status, result
    assert 0 < len(result.output) <= MAX_OUTPUT
    assert clock_s < ALLOWED_S + LATE_S
    assert cpu_s < MAX_SHARE * reference_s()


ZOO = [
    *(("http", name, speak) for name, speak in hostile.HTTP.items()),
    *(("h2ping", name, speak) for name, speak in hostile.HTTP2.items()),
    *(("grpc", name, speak) for name, speak in {**hostile.HTTP2, **hostile.GRPC}.items()),
    *(("docker", name, speak) for name, speak in hostile.DOCKER.items()),
]


@pytest.mark.parametrize(("kind", "name", "speak"), [pytest.param(*one, id=f"{one[0]}: {one[1]}") for one in ZOO])
def test_a_hostile_server_is_critical_in_time_and_costs_little(kind: str, name: str, speak: Speak) -> None:
    with serving(speak, unix=kind == "docker") as address:
        assert_bounded(measured(check_of(kind, address)))


def test_a_tcp_check_hangs_up_on_whoever_talks() -> None:
    def speak(link: socket.socket) -> None:
        while True:
            link.sendall(bytes(1 << 16))

    with serving(speak) as address:
        assert_bounded(measured(check_of("tcp", address)), "passing")


@pytest.mark.parametrize("name", ["garbage", "silence", "slow drip"])
def test_a_tls_handshake_that_does_not_come_about(name: str) -> None:
    with serving(hostile.HTTP[name]) as address:
        for how in (definition(tcp=address, tcp_use_tls=True), definition(http=f"https://{address}/")):
            contexts = Runners(lambda skip: ssl.create_default_context())
            kind = "tcp" if how.tcp else "http"
            assert_bounded(measured(partial(contexts.run, kind, how)))


def test_a_udp_check_takes_one_datagram_of_a_flood() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            _, client = server.recvfrom(100)
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    server.sendto(bytes(60_000), client)

        threading.Thread(target=answer, daemon=True).start()
        host, port = server.getsockname()
        assert_bounded(measured(check_of("udp", f"{host}:{port}")), "passing")


def test_a_run_leaves_no_memory_behind() -> None:
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) << 12

    def run_all() -> None:
        for kind, name in (("http", "endless header"), ("http", "endless body"), ("h2ping", "SETTINGS without end"),
                           ("docker", "output without end"), ("docker", "endless JSON")):  # fmt: skip
            speak = {"http": hostile.HTTP, "h2ping": hostile.HTTP2, "docker": hostile.DOCKER}[kind][name]
            with serving(speak, unix=kind == "docker") as address:
                measured(check_of(kind, address))

    run_all()
    before = resident_bytes()
    for _ in range(3):
        run_all()
    assert resident_bytes() - before < 8 << 20


class Elsewhere:
    """A server that counts who comes."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, link: socket.socket) -> None:
        self.requests.append(hostile.hear(link))
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("status", [b"307 Temporary Redirect", b"308 Permanent Redirect"])
def test_a_writing_check_is_not_redirected_to_another_program(method: str, status: bytes) -> None:
    other = Elsewhere()
    with serving(other) as there:
        where = f"http://{there}/v1/kv/a"
        reply = b"HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, where.encode())
        with serving(hostile.says(reply)) as here:
            how = definition(http=f"http://{here}/", method=method, body="x")
            result, _, _ = measured(lambda: Runners().run("http", how))
            assert result.status == "critical"
            assert f'redirect to "{where}" not followed' in result.output
            assert other.requests == []
            reading = definition(http=f"http://{here}/")
            assert measured(lambda: Runners().run("http", reading))[0].status == "passing"
            assert len(other.requests) == 1


def test_a_writing_check_is_redirected_on_its_own_host_and_port() -> None:
    seen: list[bytes] = []

    def speak(link: socket.socket) -> None:
        seen.append(hostile.hear(link))
        moved = b"HTTP/1.1 307 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
        link.sendall(moved if len(seen) == 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(speak) as address:
        how = definition(http=f"http://{address}/a", method="PUT", body="x")
        assert measured(lambda: Runners().run("http", how))[0].status == "passing"
    assert seen[1].startswith(b"PUT /b ")
