"""A server that says what it is told to say, as bytes, and what it was asked."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pyconsul.agent.common.structs import replace
from pyconsul.tools.consul.client import Connection, ConsulClient, RetryPolicy

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Script:
    """The same answer to each request, a few bytes at a time; `ends` closes afterwards, without having said so."""

    def __init__(self, answer: bytes, *, ends: bool = False, piece: int = 7) -> None:
        self.answer, self.ends, self.piece = answer, ends, piece
        self.connections = 0
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.requests.append(await read_request(reader))
            for start in range(0, len(self.answer), self.piece):
                writer.write(self.answer[start : start + self.piece])
                await writer.drain()
            if self.ends:
                return


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return one request with its body. Raises IncompleteReadError when it is missing."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def json_answer(body: bytes = b"1", *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join((*lines, b"", body))


class _Connections:
    """Runs a server's end of each connection, until the client has gone or there is no more to say."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.tasks: set[asyncio.Task[None] | None] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def asking(
    serve: Serve,
    connection: Connection | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    socket: Path | None = None,
    plain_reads: bool = False,
) -> AsyncIterator[ConsulClient]:
    """A client, which tries nothing again, of a server on 127.0.0.1 or a unix socket."""
    connections = _Connections(serve)
    if socket is not None:
        server = await asyncio.start_unix_server(connections, socket)
        address = f"unix://{socket}"
    else:
        server = await asyncio.start_server(connections, "127.0.0.1", 0, ssl=tls)
        address = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = client_of(replace(connection or Connection(), address=address), plain_reads=plain_reads)
    try:
        yield client
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*filter(None, connections.tasks))


def client_of(connection: Connection, *, plain_reads: bool = False) -> ConsulClient:
    retry = RetryPolicy(enabled=False)
    return ConsulClient(connection, rng=random.Random(1), retry=retry, plain_reads=plain_reads)
