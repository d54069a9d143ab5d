"""Many requests over kept connections: what the tools' blocking queries travel on.

HTTP is parsed by httptools (llhttp), on plain asyncio transports. A thousand watched services mean a thousand requests
at the start and a thousand connections that wait; through httpx that took 20 times as much CPU time (3 ms a request).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httptools

P = TypeVar("P", bound=asyncio.BaseProtocol)


class WireError(Exception):
    """There is no answer: no connection, an end of it before the answer, no HTTP, or too late.

    `silent`: seconds for which nothing had been heard when that was noticed.
    """

    def __init__(self, text: str, silent: float = 0.0) -> None:
        super().__init__(text)
        self.silent = silent


@dataclass
class Answer:
    """`headers`: names in lower case; the last one of a name."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Target:
    """Where connections go: `host` and `port`, or the unix socket `uds`. `name`: what TLS certificates must show."""

    host: str
    port: int
    uds: str = ""
    tls: ssl.SSLContext | None = None
    name: str = ""


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way. The methods `on_…` are called by the parser."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer = Answer()
        self._parts: list[bytes] = []
        self._to_its_end = False  # the body lasts until the connection ends
        #: Whether another request may follow.
        self.reusable = True
        #: Whether anything of the answer has come.
        self.begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def answered(self) -> bool:
        """Whether the answer to the latest request is complete."""
        waiter = self._waiter
        return waiter is not None and waiter.done() and not waiter.cancelled() and waiter.exception() is None

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer."""
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._answer, self._parts, self.begun = Answer(), [], False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self.begun = True
        if self._waiter is None or self._waiter.done():
            self.close()  # Nobody has asked.
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is no HTTP: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        headers = self._answer.headers
        self._to_its_end = not {"content-length", "transfer-encoding"} & headers.keys()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        if 100 <= self._answer.status < 200:
            self._answer = Answer()
            return
        self.reusable = self.reusable and self._parser.should_keep_alive()
        self._finish()

    def _finish(self) -> None:
        self._answer.body = b"".join(self._parts)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if exc is None and self._answer.status and self._to_its_end:
            self._finish()
        self._fail(str(exc) if exc else "the connection was closed before the answer")

    def _fail(self, text: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(WireError(text))
        self.close()

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()


class HttpWire:
    """Asks one server; connections are kept for the next request.

    `dial_timeout`: seconds to connect. `keep`: how many idle connections are kept at most; None: all.
    """

    def __init__(self, target: Target, *, dial_timeout: float, keep: int | None = None) -> None:
        self._target = target
        self._dial_timeout = dial_timeout
        self._keep = keep
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()

    async def get(self, path: str, headers: dict[str, str], patience: float) -> Answer:
        """The answer to a GET, whatever its status. `path`: escaped, with its query; `patience`: seconds.

        Raises WireError.
        """
        return await self.send("GET", path, headers, patience)

    async def send(self, method: str, path: str, headers: dict[str, str], patience: float, body: bytes = b"") -> Answer:
        """As `get`, for any method."""
        request = request_of(method, path, headers, body)
        while (kept := self._kept()) is not None:
            try:
                return await self._ask(kept, request, patience)
            except WireError:
                # The server may have closed it while it was idle; then it has not seen the request.
                if kept.begun:
                    raise
        return await self._ask(await connect(self._target, self._dial_timeout, _Connection), request, patience)

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _ask(self, connection: _Connection, request: bytes, patience: float) -> Answer:
        self._busy.add(connection)
        try:
            async with asyncio.timeout(patience):
                answer = await connection.ask(request)
        except TimeoutError:
            connection.begun = True  # It is not tried again.
            raise WireError(f"no answer within {patience:g}s", patience) from None
        finally:
            self._busy.discard(connection)
            if not self._keeps(connection):
                connection.close()
        return answer

    def _keeps(self, connection: _Connection) -> bool:
        """Whether the connection goes on; only one whose answer is complete does."""
        room = self._keep is None or len(self._idle) < self._keep
        if not (connection.reusable and connection.answered and room):
            return False
        self._idle.append(connection)
        return True

    async def close(self) -> None:
        """Close all connections."""
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()


def request_of(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """A request as it is sent. Raises WireError for a header that would be two."""
    if any("\r" in value or "\n" in value for value in headers.values()):
        raise WireError("a header (a token?) holds a line break")
    if method != "GET":
        headers = headers | {"Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def connect(target: Target, patience: float, protocol: Callable[[], P]) -> P:
    """A new connection, within that many seconds. Raises WireError."""
    loop = asyncio.get_running_loop()
    name = (target.name or target.host) if target.tls else None
    try:
        async with asyncio.timeout(patience):
            if target.uds:
                _, made = await loop.create_unix_connection(protocol, target.uds, ssl=target.tls, server_hostname=name)
            else:
                _, made = await loop.create_connection(
                    protocol, target.host, target.port, ssl=target.tls, server_hostname=name
                )
    except TimeoutError:
        raise WireError(f"no connection within {patience:g}s", patience) from None
    except (OSError, ValueError) as error:
        raise WireError(str(error) or type(error).__name__) from error
    return made
