"""Reads that wait for no change, on a few kept connections: for the first answers of a program that stays running.

httpx costs 0.15 s to load and 1 ms for each request; this costs a tenth of both. Headers, redirects, limits and errors are
those of `http_transport`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pyconsul.agent.common.http_answer import MAX_BODY_BYTES, Answer, AnswerError
from pyconsul.agent.common.reasons import reason
from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.consul.plain_requests import REDIRECTS, PlainRequests

if TYPE_CHECKING:
    import ssl

    from pyconsul.tools.consul.connection import Connection

_CHUNK_BYTES = 65536
#: Seconds after which idle connections are closed.
_IDLE_S = 5.0

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Gone(Exception):
    """The connection ended before the response did."""


class PlainReads:
    """Connections until `close`. `tls`: for https. Raises ConsulError for an address that makes no sense."""

    def __init__(self, connection: Connection, tls: ssl.SSLContext | None) -> None:
        self._connection = connection
        self._tls = tls
        self._requests = PlainRequests(connection)
        self._kept: list[_Stream] = []
        self._expiry: asyncio.TimerHandle | None = None

    async def ask(
        self, path: str, params: Mapping[str, str], patience_s: float
    ) -> tuple[bytes | None, Mapping[str, str]]:
        """Return the body of the response, None for "not found", and its headers. Raises ConsulError.

        `patience_s`: seconds that the response may take.
        """
        status, headers, body = await self._read(path, params, patience_s)
        if status == 404:
            return None, headers
        if status != 200:
            raise self._requests.refusal(path, status, body)
        return body, headers

    async def status(self, path: str, patience_s: float) -> int:
        """Return the HTTP status of a path. Raises ConsulError."""
        return (await self._read(path, {}, patience_s))[0]

    async def close(self) -> None:
        """Close all connections."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._drop()

    def _drop(self) -> None:
        for _, writer in self._kept:
            writer.close()
        self._kept.clear()

    async def _read(
        self, path: str, params: Mapping[str, str], patience_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        where = f"GET {path} from {self._connection.address}"
        answer = await self._ask(self._requests.target(path, params), where, patience_s)
        if answer.status in REDIRECTS:
            # A path with "//" or ".." goes by its clean form, as Go's clients follow it.
            target = self._requests.redirected(answer.status, answer.headers.get("location", ""))
            answer = await self._ask(target, where, patience_s)
        return answer.status, answer.headers, b"".join(answer.chunks)

    async def _ask(self, target: str, where: str, patience_s: float) -> Answer:
        request = self._requests.request(target)
        if self._kept:
            # The server may have closed a kept connection just now; then a new one is opened.
            with suppress(_Gone):
                return await self._exchange(self._kept.pop(), request, where, patience_s)
        stream = await self._connect(where)
        try:
            return await self._exchange(stream, request, where, patience_s)
        except _Gone as error:
            raise ConsulError(f"{where}: {reason(error)}") from None

    async def _connect(self, where: str) -> _Stream:
        address, limit_s = self._requests.address, self._connection.dial_timeout
        name = (self._connection.tls.server_name or address.host) if self._tls is not None else None
        try:
            async with asyncio.timeout(limit_s):
                if address.unix:
                    return await asyncio.open_unix_connection(address.unix, ssl=self._tls, server_hostname=name)
                return await asyncio.open_connection(address.host, address.port, ssl=self._tls, server_hostname=name)
        except TimeoutError:
            raise ConsulError(f"{where}: no connection within {limit_s:g}s", silent=limit_s) from None
        except (OSError, ValueError) as error:
            raise ConsulError(f"{where}: {reason(error)}") from None

    async def _exchange(self, stream: _Stream, request: bytes, where: str, patience_s: float) -> Answer:
        """Return one response. Raises ConsulError, and _Gone when the connection ends before it."""
        answer = Answer(MAX_BODY_BYTES)
        async with self._lent(stream, answer):
            try:
                async with asyncio.timeout(self._connection.dial_timeout + patience_s) as limit:
                    await self._receive(stream, request, answer, patience_s)
            except TimeoutError:
                waited = patience_s if not limit.expired() else self._connection.dial_timeout + patience_s
                raise ConsulError(f"{where}: no answer within {patience_s:g}s", silent=waited) from None
            except AnswerError as error:
                raise ConsulError(f"{where}: no whole answer: {error}") from None
            except OSError as error:
                raise _Gone(reason(error)) from None
        return answer

    async def _receive(self, stream: _Stream, request: bytes, answer: Answer, patience_s: float) -> None:
        reader, writer = stream
        writer.write(request)
        while not answer.complete:
            async with asyncio.timeout(patience_s):
                data = await reader.read(_CHUNK_BYTES)
            if data:
                answer.feed(data)
            elif answer.started and answer.closing and "content-length" not in answer.headers:
                break  # a body without a length ends with the connection
            else:
                raise _Gone("no whole answer: the server closed the connection")

    @asynccontextmanager
    async def _lent(self, stream: _Stream, answer: Answer) -> AsyncIterator[None]:
        """Keep the connection after a whole response, if settings and server allow that; else close it."""
        try:
            yield
        finally:
            most = self._connection.max_idle_connections
            free = self._connection.keep_alives and (most is None or len(self._kept) < most)
            if answer.complete and not answer.closing and free:
                self._kept.append(stream)
                self._expire_later()
            else:
                stream[1].close()

    def _expire_later(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(_IDLE_S, self._drop)
