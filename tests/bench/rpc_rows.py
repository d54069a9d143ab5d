"""Requests between two agents over one connection, against a bare echo with as many messages under way."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import uvloop
from support.ports import free_ports
from support.rpc_agents import network, server_at
from support.rpc_child import RPCChild

from bench import load
from bench.rows import Row, row
from pyconsul.agent.httpapi.server.contract import HTTPRequest

MESSAGE = b"x" * 200
SECONDS = 3.0


def rpc_requests() -> Iterator[Row]:
    """Small requests and responses; a figure of Consul is missing."""
    for concurrent in (32, 1):
        with RPCChild("s1") as server:
            measured = uvloop.run(_ask(server.port, concurrent))
        port = free_ports(1)[0]
        with load.reference_tcp(port):
            reference = uvloop.run(_echo(port, concurrent))
        name = f"rpc: requests/s over one connection, {concurrent} at a time"
        yield row(name, measured, reference, "req/s", 0)


async def _ask(port: int, concurrent: int) -> float:
    async with network() as net:
        net.servers.put(server_at("s1", port))
        client = await net.client("web1")

        async def ask() -> None:
            headers = {b"x-consul-token": b"s" * 36, b"accept": b"*/*"}
            await client.peers.ask("id-s1", HTTPRequest("GET", b"/v1/kv/some/key?stale", headers, MESSAGE))

        return await _rate(ask, concurrent)


class _EchoClient(asyncio.Protocol):
    """Sends messages of one size; they come back in their order."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._received = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        while self._received >= len(MESSAGE):
            self._received -= len(MESSAGE)
            self._waiting.popleft().set_result(None)

    async def send(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._transport.write(MESSAGE)
        await future


async def _echo(port: int, concurrent: int) -> float:
    _, client = await asyncio.get_running_loop().create_connection(_EchoClient, "127.0.0.1", port)
    return await _rate(client.send, concurrent)


async def _rate(send: Callable[[], Awaitable[None]], concurrent: int) -> float:
    """Return how often a second it is done, with so many at a time."""
    await send()
    count = 0
    until = time.perf_counter() + SECONDS

    async def repeat() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await send()
            count += 1

    await asyncio.gather(*(repeat() for _ in range(concurrent)))
    return count / SECONDS
