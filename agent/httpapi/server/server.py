"""Listens for HTTP inside a running event loop, and keeps count of the connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from pyconsul.agent.httpapi.server.connection import Connection
from pyconsul.agent.httpapi.server.contract import Application
from pyconsul.agent.httpapi.server.limits import Limits

BACKLOG = 2048  # connections that the system accepts while the loop is busy
SWEEP = 5  # seconds between two searches for clients that send too slowly
REFUSAL = b"Your IP is issuing too many concurrent connections, please rate limit your calls\n"
TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(REFUSAL), REFUSAL)
)
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\nConnection: close\r\n\r\n"
    b"too many connections\n"
)

log = logging.getLogger("agent.http")


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket (TCP or unix), with TLS or without."""

    socket: socket.socket
    ssl: ssl.SSLContext | None = None
    handshake_timeout_s: float = 5.0


class HTTPServer:
    """Serves one application.  `date`: the line of the Date header; `clients`: open connections by address."""

    def __init__(self, application: Application, listeners: Sequence[Listener], limits: Limits | None = None) -> None:
        self.application = application
        self.limits = limits or Limits()
        self._listeners = list(listeners)
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self.date = b""
        self.connections: set[Connection] = set()
        self._exempt: set[Connection] = set()
        self.tasks: set[asyncio.Future[Any]] = set()
        self.clients: Counter[str] = Counter()

    async def start(self) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        self._tick(loop)
        for listener in self._listeners:
            timeout = listener.handshake_timeout_s if listener.ssl is not None else None
            server = await loop.create_server(
                self.connect,
                sock=listener.socket,
                ssl=listener.ssl,
                ssl_handshake_timeout=timeout,
                backlog=BACKLOG,
            )
            self._servers.append(server)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once a second: renew the Date header; now and then close on clients that send too slowly."""
        self.date = b"Date: %b\r\n" % formatdate(time.time(), usegmt=True).encode()
        self._ticks += 1
        if self._ticks % SWEEP == 0:
            late = loop.time() - self.limits.send_timeout_s
            for connection in list(self.connections):
                connection.cut_off(late)
        self._timer = loop.call_later(1, self._tick, loop)

    def connect(self) -> Connection:
        """Return a new connection, for a socket that another component listens on."""
        return Connection(self)

    def add(self, connection: Connection) -> bytes:
        """Count a connection; return the response that refuses it when its client, or all of them, have too many."""
        self.connections.add(connection)
        address, limits = connection.remote, self.limits
        if address:
            self.clients[address] += 1
            most = limits.connections_per_client()
            if 0 < most < self.clients[address]:
                log.warning("too many connections from one client: from=%s limit=%d", address, most)
                return TOO_MANY
        if 0 < limits.connections < len(self.connections):
            return FULL
        if limits.lifetime_s:
            asyncio.get_running_loop().call_later(limits.lifetime_s, connection.shutdown)
        return b""

    def exempt(self, connection: Connection) -> None:
        """Count a connection no longer among those of its client: browsers keep event streams open, one for all their tabs."""
        self._forget_client(connection)
        self._exempt.add(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        if connection in self._exempt:
            self._exempt.discard(connection)
        else:
            self._forget_client(connection)

    def _forget_client(self, connection: Connection) -> None:
        address = connection.remote
        if address:
            self.clients[address] -= 1
            if self.clients[address] <= 0:
                del self.clients[address]

    async def stop(self) -> None:
        """Accept no more, answer the waiting requests, and let running ones finish."""
        for server in self._servers:
            server.close()
        self.application.close()
        for connection in list(self.connections):
            connection.shutdown()
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=self.limits.stop_s)
            for task in late:
                task.cancel()
        if self._timer is not None:
            self._timer.cancel()
