"""Listens for the HTTP API: uvicorn's protocol on sockets of ours, inside the agent's event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from pyconsul.agent.httpapi.app import App
from pyconsul.agent.httpapi.protocol import Protocol

SLOW = 30.0  # seconds a client may take to send a request
SWEEP = 5  # seconds between looks for clients that are slower
GRACE = 2.0  # seconds that open requests get when the agent stops
REFUSAL = b"Your IP is issuing too many concurrent connections, please rate limit your calls\n"
TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(REFUSAL), REFUSAL)
)

log = logging.getLogger("agent.http")


class HTTPServer:
    """The listening side of the HTTP API."""

    def __init__(self, app: App, sockets: Sequence[socket.socket]) -> None:
        self._app = app
        self._sockets = list(sockets)
        self._config = uvicorn.Config(_unused, ws="none", lifespan="off", log_config=None, access_log=False)
        self._config.load()
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self.clients: Counter[str] = Counter()  # open connections by address
        self.limit = app.context.config.limits.http_max_conns_per_client

    async def start(self) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        self._tick(loop)
        for sock in self._sockets:
            self._servers.append(await loop.create_server(lambda: Connection(self, loop), sock=sock))

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once a second: renew the Date header; now and then cut off who sends too slowly."""
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        self._ticks += 1
        if self._ticks % SWEEP == 0:
            late = loop.time() - SLOW
            for connection in list(self._state.connections):
                if isinstance(connection, Protocol) and 0 < connection.began < late:
                    connection.cut_off()
        self._timer = loop.call_later(1, self._tick, loop)

    async def stop(self) -> None:
        """Accept no more, answer the sleeping queries, and let open requests finish."""
        for server in self._servers:
            server.close()
        self._app.context.watches.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=GRACE)
            for task in late:
                task.cancel()
        if self._timer is not None:
            self._timer.cancel()


class Connection(Protocol):
    """A connection that counts against its client's limit (`limits.http_max_conns_per_client`)."""

    def __init__(self, server: HTTPServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server._app, server._config, server._state, {}, loop)
        self._server = server

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is None:
            return
        address = self.client[0]
        self._server.clients[address] += 1
        if 0 < self._server.limit < self._server.clients[address]:
            log.warning("too many connections from one client: from=%s limit=%d", address, self._server.limit)
            transport.write(TOO_MANY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            address = self.client[0]
            self._server.clients[address] -= 1
            if not self._server.clients[address]:
                del self._server.clients[address]
        super().connection_lost(exc)


async def _unused(scope: Any, receive: Any, send: Any) -> None:
    """uvicorn wants an ASGI application; ours is called by the protocol itself."""
