"""One HTTP/1.1 request and its response on a new connection, parsed by httptools.

A general client costs ten times as much processor time, which counts with a thousand checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools

from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.health.runners.bounds import (
    MAX_HEAD_BYTES,
    MAX_PARTS,
    MAX_RUN_BYTES,
    BoundedProtocol,
    excerpt,
)

NO_BODY_METHOD = "HEAD"


class ExchangeError(Exception):
    """The server closed the connection, or its response is not HTTP."""


class Exchange(BoundedProtocol):
    """Sends `request` once connected and hands the body to `write`; `done` is resolved when the response is complete.

    `status` is 0 until the header has been read; then the response counts even if the body breaks off. `cut` says that
    the rest of the body was not read, because it was too long.
    """

    def __init__(
        self,
        request: bytes,
        write: Callable[[bytes], None],
        *,
        bodiless: bool = False,
        max_bytes: int = MAX_RUN_BYTES,
        full: Callable[[], bool] | None = None,
    ) -> None:
        """`full` says that enough of the body was written, whatever its size."""
        super().__init__(max_bytes)
        self.status = 0
        self.reason = ""
        self.location = ""
        self.cut = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._write = write
        self._bodiless = bodiless
        self._full = full
        self._parser = httptools.HttpResponseParser(self)
        self._begin = b""
        self._words = ""
        self._head_bytes = 0
        self._parts = 0

    @property
    def finished(self) -> bool:
        return self.done.done()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(self._request)

    def take(self, data: bytes) -> None:
        if len(self._begin) < 64:
            self._begin += data[:64]
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError:
            first_line = self._begin.split(b"\n")[0].rstrip(b"\r").decode(errors="replace")
            self._finish(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{first_line}"')
        if not self.status and self._head_bytes >= MAX_HEAD_BYTES:
            self._finish(f"net/http: server response headers exceeded {MAX_HEAD_BYTES} bytes; aborted")
        elif self._full is not None and self._full() and not self.finished:
            self.overrun()

    def overrun(self) -> None:
        self.cut = True
        self._finish("the response is too long")

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, OSError):
            self._finish(f"read tcp {self._ends()}: read: {phrase(exc)}")
        else:
            self._finish("unexpected EOF" if self._begin else "EOF")

    # What httptools calls

    def on_status(self, status: bytes) -> None:
        self._words += status.decode(errors="replace")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status and name.lower() == b"location":  # not from a trailer
            self.location = value.decode(errors="replace")

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if code >= 200 or code == 101:
            self.status = code
            self.reason = excerpt(self._words.strip())
            if self._bodiless:
                self._finish()
        else:
            self.location = ""
        self._words = ""

    def on_body(self, body: bytes) -> None:
        self._write(body)

    def on_chunk_header(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            self.overrun()

    def on_message_complete(self) -> None:
        if self.status:  # not so after `100 Continue`, which only comes before the answer
            self._finish()

    def _ends(self) -> str:
        assert self._transport is not None
        here = self._transport.get_extra_info("sockname") or ("", 0)
        there = self._transport.get_extra_info("peername") or ("", 0)
        return f"{join_address(here[0], here[1])}->{join_address(there[0], there[1])}"

    def _finish(self, fault: str = "") -> None:
        if self.done.done():
            return
        if fault and not self.status:
            self.done.set_exception(ExchangeError(fault))
        else:
            self.done.set_result(None)
