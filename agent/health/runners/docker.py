"""Docker checks: a program run inside a container, through the engine's API on its socket.

Source: https://docs.docker.com/reference/api/engine/ (exec).
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pyconsul.agent.health.definition import DEFAULT_OUTPUT_SIZE, CheckDefinition, output_limit, seconds_allowed
from pyconsul.agent.health.runners.goerror import phrase, root_cause
from pyconsul.agent.health.runners.result import Result, Tail
from pyconsul.agent.health.runners.script import status_of_exit, timed_out
from pyconsul.agent.model.check import CRITICAL

if TYPE_CHECKING:
    import httpx

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT = 30.0  # seconds for all of a run
ENDING = 0.05  # seconds between looks at a program whose output has ended, but which has not
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
            else:
                self._tail.write(data[: self._left])
                data, self._left = data[self._left :], max(0, self._left - len(data))
        if data:
            self._tail.write(data)


async def run_docker(definition: CheckDefinition, agent_limit: int = DEFAULT_OUTPUT_SIZE, host: str = "") -> Result:
    """Run the check's program in its container: exit code 0 is passing, 1 a warning, anything else critical.

    `host` is as in DOCKER_HOST, whose value is the default: `unix:///path` or `tcp://host:port`.
    """
    import httpx

    tail = Tail(output_limit(definition, agent_limit))
    allowed = seconds_allowed(definition, TIMEOUT)
    try:
        async with (
            asyncio.timeout(allowed),
            _client(host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST) as client,
        ):
            code = await _execute(client, definition, tail)
    except TimeoutError:
        return Result(CRITICAL, timed_out(allowed, tail))
    except DockerError as error:
        return Result(CRITICAL, str(error))
    except httpx.HTTPError as error:
        cause = root_cause(error)
        words = phrase(cause) if isinstance(cause, OSError) else str(error) or type(error).__name__
        return Result(CRITICAL, f"create exec failed for container {definition.docker_container_id}: {words}")
    return Result(status_of_exit(code), tail.captured())


def _client(host: str) -> httpx.AsyncClient:
    import httpx

    scheme, _, address = host.partition("://")
    if scheme == "unix":
        transport = httpx.AsyncHTTPTransport(uds=address)
        return httpx.AsyncClient(transport=transport, base_url="http://docker", timeout=None)
    if scheme != "tcp":
        raise DockerError(f"unable to parse docker host `{host}`")
    return httpx.AsyncClient(base_url=f"http://{address}", timeout=None)


async def _execute(client: httpx.AsyncClient, definition: CheckDefinition, tail: Tail) -> int:
    container = definition.docker_container_id
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": definition.script_args}
    created = await client.post(f"/containers/{quote(container, safe='')}/exec", json=body)
    _expect(created, 201, "create", container, f"create exec failed for unknown container {container}")
    run = str(_field(created, "Id", "create", container))
    streams = Demultiplexer(tail)
    # Both must say that there is no terminal: told otherwise here than above, the engine drops what goes to stderr.
    async with client.stream("POST", f"/exec/{run}/start", json={"Detach": False, "Tty": False}) as started:
        if started.status_code != 200:
            await started.aread()
        _expect(started, 200, "start", container, f"start exec failed for container {container}: invalid exec id {run}")
        async for data in started.aiter_bytes():
            streams.feed(data)
    return await _exit_code(client, container, run)


async def _exit_code(client: httpx.AsyncClient, container: str, run: str) -> int:
    """How a program ended; its output may end a moment before it does."""
    while True:
        inspected = await client.get(f"/exec/{run}/json")
        unknown = f"inspect exec failed for container {container}: invalid exec id {run}"
        _expect(inspected, 200, "inspect", container, unknown)
        code = _field(inspected, "ExitCode", "inspect", container)
        if code is not None:
            return int(code)
        await asyncio.sleep(ENDING)


def _expect(response: httpx.Response, status: int, step: str, container: str, unknown: str) -> None:
    """Raise DockerError when the engine answers with another status."""
    code = response.status_code
    if code == status:
        return
    if code == 404:
        raise DockerError(unknown)
    if code == 409 and step != "inspect":
        raise DockerError(f"{step} exec failed since container {container} is paused or stopped")
    raise DockerError(f"{step} exec failed for container {container} with status {code}: {response.text[:200]}")


def _field(response: httpx.Response, name: str, step: str, container: str) -> Any:
    try:
        return response.json()[name]
    except (ValueError, KeyError, TypeError) as error:
        raise DockerError(f"{step} exec response for container {container} cannot be parsed: {error}") from None
