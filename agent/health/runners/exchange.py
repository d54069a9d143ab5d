"""One HTTP/1.1 request and its answer on a connection of its own, parsed by httptools.

A general client costs ten times as much processor time, which counts with a thousand checks.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools

from pyconsul.agent.health.runners.goerror import join_address, phrase
from pyconsul.agent.health.runners.result import Tail

NO_BODY_METHOD = "HEAD"


class ExchangeError(Exception):
    """The server hung up, or what it said is not HTTP."""


class Exchange(asyncio.Protocol):
    """Sends `request` once connected and collects the answer; `done` is resolved when it is whole.

    `status` is 0 until the header has been read; then the answer counts even if the body breaks off.
    """

    def __init__(self, request: bytes, tail: Tail, *, bodiless: bool = False) -> None:
        self.status = 0
        self.reason = ""
        self.location = ""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._tail = tail
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._begin = b""
        self._words = ""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if len(self._begin) < 64:
            self._begin += data[:64]
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError:
            first_line = self._begin.split(b"\n")[0].rstrip(b"\r").decode(errors="replace")
            self._finish(f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{first_line}"')

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, OSError):
            self._finish(f"read tcp {self._ends()}: read: {phrase(exc)}")
        else:
            self._finish("unexpected EOF" if self._begin else "EOF")

    # What httptools calls

    def on_status(self, status: bytes) -> None:
        self._words += status.decode(errors="replace")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self.location = value.decode(errors="replace")

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if code >= 200 or code == 101:
            self.status = code
            self.reason = self._words.strip()
            if self._bodiless:
                self._finish()
        self._words = ""

    def on_body(self, body: bytes) -> None:
        self._tail.write(body)

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
