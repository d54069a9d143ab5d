"""GET requests over kept connections, against servers that do what servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pyconsul.tools.httpwire import HttpWire, Target, WireError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Script:
    """A server that gives the same bytes for each request, a few of them at a time; `ends` closes afterwards."""

    def __init__(self, answer: bytes, *, ends: bool = False, piece: int = 7) -> None:
        self.answer, self.ends, self.piece = answer, ends, piece
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                for start in range(0, len(self.answer), self.piece):
                    writer.write(self.answer[start : start + self.piece])
                    await writer.drain()
                if self.ends:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wire_to(serve: Serve, **options: float) -> AsyncIterator[HttpWire]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = HttpWire(Target("127.0.0.1", port), dial_timeout=5, **options)  # type: ignore[arg-type]
    yield wire
    await wire.close()
    server.close()


async def get(wire: HttpWire, path: str = "/") -> tuple[int, bytes]:
    answer = await wire.get(path, {"Host": "h"}, 10)
    return answer.status, answer.body


async def test_a_connection_is_used_again() -> None:
    script = Script(b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: 2\r\n\r\nhi")
    async with wire_to(script) as wire:
        for _ in range(3):
            answer = await wire.get("/v1/x?a=b", {"Host": "h", "X-Consul-Token": "t"}, 10)
            assert (answer.status, answer.headers["x-consul-index"], answer.body) == (200, "7", b"hi")
    assert script.connections == 1
    assert script.requests[0] == b"GET /v1/x?a=b HTTP/1.1\r\nHost: h\r\nX-Consul-Token: t\r\n\r\n"


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    script = Script(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    async with wire_to(script) as wire:
        assert set(await asyncio.gather(*(get(wire) for _ in range(5)))) == {(200, b"x")}
    assert script.connections == 5


@pytest.mark.parametrize(
    ("answer", "ends", "status", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            False,
            200,
            b"abcde",
        ),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", False, 404, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", True, 200, b"to the end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", True, 200, b"x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b""),
    ],
)
async def test_bodies_of_all_kinds(answer: bytes, ends: bool, status: int, body: bytes) -> None:
    async with wire_to(Script(answer, ends=ends)) as wire:
        assert await get(wire) == (status, body)
        assert await get(wire) == (status, body)


async def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    script = Script(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", ends=True)
    async with wire_to(script) as wire:
        for _ in range(4):
            assert await get(wire) == (200, b"x")
    assert script.connections == 4


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed before the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed before the answer"),
        (b"nonsense\r\n\r\n", "no HTTP"),
    ],
)
async def test_no_answer(answer: bytes, error: str) -> None:
    async with wire_to(Script(answer, ends=True)) as wire:
        with pytest.raises(WireError, match=error):
            await get(wire)


async def test_patience_ends_and_the_connection_with_it() -> None:
    script = Script(b"")
    async with wire_to(script) as wire:
        for _ in range(2):
            with pytest.raises(WireError, match=r"no answer within 0\.01s"):
                await wire.get("/", {}, 0.01)
    assert script.connections == 2


async def test_a_request_that_is_given_up_leaves_no_connection_behind() -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""  # closed
        gone.set()
        writer.close()

    gone = asyncio.Event()
    async with wire_to(serve) as wire:
        task = asyncio.create_task(get(wire))
        await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(gone.wait(), 10)


async def test_a_unix_socket(tmp_path: Path) -> None:
    script = Script(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(script, path)
    wire = HttpWire(Target("localhost", 80, uds=path), dial_timeout=5)
    assert await get(wire) == (200, b"x")
    await wire.close()
    server.close()


async def test_nobody_is_there_and_bad_headers() -> None:
    wire = HttpWire(Target("127.0.0.1", 1), dial_timeout=5)
    with pytest.raises(WireError, match="1"):
        await get(wire)
    with pytest.raises(WireError, match="line break"):
        await wire.get("/", {"X-Consul-Token": "a\r\nb"}, 1)
    await wire.close()
