"""Serves DNS over UDP and TCP: the sockets around a responder."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyconsul.agent.dnsd.responder import Later, Responder
from pyconsul.agent.dnsd.stream import Clients, Stream

BACKLOG = 2048  # connections that the system accepts while the loop is busy
LOOPBACK = frozenset(("127.0.0.1", "::1"))  # these clients get large answers by the shortest way, too

log = logging.getLogger("agent.dns")


class Datagrams(asyncio.DatagramProtocol):
    """Questions over UDP."""

    def __init__(self, responder: Responder, tasks: set[asyncio.Task[None]]) -> None:
        self._responder, self._tasks = responder, tasks
        self._cached = responder.cached_over_udp
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send = transport.sendto

    def datagram_received(self, data: bytes, addr: Any) -> None:
        cached = self._cached(data[2:])
        # The shortest path, for the most frequent questions.
        if cached is not None and cached.ready and (not cached.large or addr[0] in LOOPBACK):
            self._send(data[:2] + cached.ready.pop(), addr)
            return
        found = self._responder.respond(data, True, addr[0])
        if isinstance(found, Later):
            task = asyncio.get_running_loop().create_task(self._finish(found, data[:2], addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif found is not None:
            self._send(data[:2] + found, addr)

    async def _finish(self, later: Later, number: bytes, addr: Any) -> None:
        found = await later.finish()
        if self._transport is not None and not self._transport.is_closing():
            self._send(number + found, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("a client could not be answered: error=%r", exc)


class DNSServer:
    """The listening side of DNS."""

    def __init__(
        self, responder: Responder, udp: Sequence[socket.socket] = (), tcp: Sequence[socket.socket] = ()
    ) -> None:
        self.responder = responder
        self._udp, self._tcp = list(udp), list(tcp)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients = Clients(Counter(), set())
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Start answering."""
        loop = asyncio.get_running_loop()
        for sock in self._udp:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams(self.responder, self._tasks), sock=sock
            )
            self._transports.append(transport)
        for sock in self._tcp:
            make = lambda: Stream(self.responder, self._clients, self._tasks)  # noqa: E731
            self._servers.append(await loop.create_server(make, sock=sock, backlog=BACKLOG))

    async def stop(self) -> None:
        """Stop answering."""
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for stream in list(self._clients.streams):
            stream.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
