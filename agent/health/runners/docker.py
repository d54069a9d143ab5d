"""Docker checks: a program run inside a container, through the engine's API on its socket.

Source: https://docs.docker.com/reference/api/engine/ (exec).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec

from pyconsul.agent.common.go.network_errors import split_address
from pyconsul.agent.health.definition import DEFAULT_OUTPUT_SIZE, CheckDefinition, output_limit, seconds_allowed
from pyconsul.agent.health.runners.bounds import excerpt
from pyconsul.agent.health.runners.dial import DialError, dial, dial_unix
from pyconsul.agent.health.runners.exchange import Exchange, ExchangeError
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.script import status_of_exit, timed_out
from pyconsul.agent.model.check import CRITICAL

T = TypeVar("T")

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT = 30.0  # seconds for all of a run
FIRST_POLL_S = 0.05  # between inspections of a program whose output has ended, but which has not; doubled each time
LAST_POLL_S = 1.0
MAX_JSON_BYTES = 64 << 10  # of one response of the engine
MAX_OUTPUT_BYTES = 16 << 20  # of a program's output in one run; the check's output is only the end of it
MAX_FRAMES = 100_000
HEADER = 8  # bytes before each piece of output: which stream, three zeros, the length
STREAMS = {bytes((stream, 0, 0, 0)) for stream in (0, 1, 2)}


class DockerError(Exception):
    """The engine refused; the text says what."""


class Demultiplexer:
    """Takes both streams of a program out of the engine's stream of frames, in the order in which they were written.

    Source: https://docs.docker.com/reference/api/engine/ (stream format).  An engine that does not frame is taken as it is.
    """

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._header = b""
        self._left = 0  # bytes of the current frame that are still to come
        self._raw = False
        self.frames = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        while data and not self._raw:
            if not self._left:
                missing = HEADER - len(self._header)
                self._header, data = self._header + data[:missing], data[missing:]
                self._raw = self._header[:4] not in STREAMS and len(self._header) >= 4
                if self._raw:
                    data = self._header + data
                elif len(self._header) == HEADER:
                    self._left, self._header = int.from_bytes(self._header[4:]), b""
                    self.frames += 1
            else:
                self._tail.write(data[: self._left])
                data, self._left = data[self._left :], max(0, self._left - len(data))
        if data:
            self._tail.write(data)


class _Created(msgspec.Struct):
    run: str = msgspec.field(name="Id")


class _Inspected(msgspec.Struct):
    exit_code: int | None = msgspec.field(name="ExitCode")


class _Response(msgspec.Struct):
    """A response of the engine, with the beginning of its body."""

    status: int
    body: bytes


async def run_docker(definition: CheckDefinition, agent_limit: int = DEFAULT_OUTPUT_SIZE, host: str = "") -> Result:
    """Run the check's program in its container: exit code 0 is passing, 1 a warning, anything else critical.

    `host` is as in DOCKER_HOST, whose value is the default: `unix:///path` or `tcp://host:port`.
    """
    tail = Tail(output_limit(definition, agent_limit))
    allowed = seconds_allowed(definition, TIMEOUT)
    container = definition.docker_container_id
    try:
        engine = _Engine(host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
        async with asyncio.timeout(allowed):
            code = await _execute(engine, definition, tail)
    except TimeoutError:
        return Result(CRITICAL, timed_out(allowed, tail))
    except DockerError as error:
        return Result(CRITICAL, str(error))
    except (DialError, ExchangeError) as error:
        return Result(CRITICAL, f"create exec failed for container {container}: {error}")
    return Result(status_of_exit(code), tail.captured())


class _Engine:
    """Requests to a container engine, each on a new connection. Raises DockerError for a bad address."""

    def __init__(self, host: str) -> None:
        scheme, _, address = host.partition("://")
        if scheme not in ("unix", "tcp"):
            raise DockerError(f"unable to parse docker host `{host}`")
        self._unix = scheme == "unix"
        self._address = address

    async def ask(self, method: str, path: str, body: object = None) -> _Response:
        """Send a request and read the whole response. Raises DialError, ExchangeError."""
        kept = bytearray()
        exchange = await self._exchange(method, path, body, kept.extend, MAX_JSON_BYTES)
        if exchange.cut:
            raise ExchangeError(f"the engine's response is longer than {MAX_JSON_BYTES} bytes")
        return _Response(exchange.status, bytes(kept))

    async def stream(self, path: str, body: object, streams: Demultiplexer) -> _Response:
        """Send a request whose successful response is a program's output. Raises DialError, ExchangeError, DockerError."""
        kept = bytearray()

        def write(data: bytes) -> None:
            if not kept:
                kept.extend(data[:MAX_JSON_BYTES])
            streams.feed(data)

        exchange = await self._exchange(
            "POST", path, body, write, MAX_OUTPUT_BYTES, lambda: streams.frames > MAX_FRAMES
        )
        if exchange.cut:
            raise DockerError(f"the program printed more than {MAX_OUTPUT_BYTES} bytes or {MAX_FRAMES} pieces")
        return _Response(exchange.status, bytes(kept))

    async def _exchange(
        self,
        method: str,
        path: str,
        body: object,
        write: Callable[[bytes], None],
        max_bytes: int,
        full: Callable[[], bool] | None = None,
    ) -> Exchange:
        data = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        request = head.encode() + b"\r\n" + data

        def make() -> Exchange:
            return Exchange(request, write, max_bytes=max_bytes, full=full)

        if self._unix:
            transport, exchange = await dial_unix(make, self._address)
        else:
            transport, exchange = await dial(make, *_host_and_port(self._address))
        try:
            await exchange.done
        finally:
            transport.abort()
        return exchange


def _host_and_port(address: str) -> tuple[str, str]:
    try:
        return split_address(address)
    except ValueError as error:
        raise DockerError(f"unable to parse docker host `tcp://{address}`: {error}") from None


async def _execute(engine: _Engine, definition: CheckDefinition, tail: Tail) -> int:
    container = definition.docker_container_id
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": definition.script_args}
    created = await engine.ask("POST", f"/containers/{quote(container, safe='')}/exec", body)
    _expect(created, 201, "create", container, f"create exec failed for unknown container {container}")
    run = _decoded(created, _Created, "create", container).run
    # `Tty` must agree with the creation above: otherwise the engine drops stderr.
    path = f"/exec/{quote(run, safe='')}"
    started = await engine.stream(f"{path}/start", {"Detach": False, "Tty": False}, Demultiplexer(tail))
    unknown = f"invalid exec id {excerpt(run)}"
    _expect(started, 200, "start", container, f"start exec failed for container {container}: {unknown}")
    return await _exit_code(engine, container, path, unknown)


async def _exit_code(engine: _Engine, container: str, path: str, unknown: str) -> int:
    """Return the exit code of a program; its output may end a moment before it does."""
    poll_s = FIRST_POLL_S
    while True:
        inspected = await engine.ask("GET", f"{path}/json")
        _expect(inspected, 200, "inspect", container, f"inspect exec failed for container {container}: {unknown}")
        code = _decoded(inspected, _Inspected, "inspect", container).exit_code
        if code is not None:
            return code
        await asyncio.sleep(poll_s)
        poll_s = min(LAST_POLL_S, poll_s * 2)


def _expect(response: _Response, status: int, step: str, container: str, unknown: str) -> None:
    """Raise DockerError when the engine answers with another status."""
    code = response.status
    if code == status:
        return
    if code == 404:
        raise DockerError(unknown)
    if code == 409 and step != "inspect":
        raise DockerError(f"{step} exec failed since container {container} is paused or stopped")
    words = response.body[:200].decode(errors="replace")
    raise DockerError(f"{step} exec failed for container {container} with status {code}: {words}")


def _decoded(response: _Response, kind: type[T], step: str, container: str) -> T:
    try:
        return msgspec.json.decode(response.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DockerError(f"{step} exec response for container {container} cannot be parsed: {error}") from None
