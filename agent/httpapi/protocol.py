"""One HTTP connection: uvicorn's protocol, which parses, with the answers written by ourselves.

A GET whose answer is cached is written as soon as its head has been parsed.  Any other
request goes to the application once its body is there; one that cannot be answered at
once gets a task.  Requests that a client sends ahead (pipelining) wait their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pyconsul.agent.httpapi.admission import BROWSER_HEADERS
from pyconsul.agent.httpapi.answer import Answer
from pyconsul.agent.httpapi.app import App
from pyconsul.agent.httpapi.cache import Entry
from pyconsul.agent.httpapi.request import Request

MAX_BODY = 64 << 20  # bytes; a snapshot is the largest thing that is sent
MAX_HEAD = 1 << 20  # bytes of a request's line and headers, as Go takes them
MAX_AHEAD = 16  # requests that a client may send before the first is answered; then it is read no further
HALF_CLOSED = 2.0  # seconds that a client which sends no more may wait for what it asked
# Headers that change an answer, or how it is sent.
SPECIAL = BROWSER_HEADERS | frozenset(
    (b"x-consul-token", b"authorization", b"accept-encoding", b"expect", b"upgrade", b"transfer-encoding")
)


log = logging.getLogger("agent.http")


class Protocol(HttpToolsProtocol):
    """A connection of the HTTP API.  `began` is when its unfinished request began (loop time), or 0."""

    def __init__(self, app: App, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._app = app
        self._cache = app.cache
        self.began = 0.0
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._plain = self._answered = self._closing = self._in_head = self._expects = False
        self._secret = b""
        self._body: list[bytes] = []
        self._size = self._head_size = 0

    def data_received(self, data: bytes) -> None:
        try:
            self._parse(memoryview(data))
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                log.error("a request could not be taken", exc_info=error)
            self._refuse(400, "400 Bad Request")
        if self._in_head and self.began:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._refuse(431, "431 Request Header Fields Too Large")

    def _parse(self, data: memoryview) -> None:
        """Parse what came.  Raises HttpParserError.

        No other protocol is spoken here: a request to change it (curl --http2) is a plain one, as if it had not asked.
        The parser leaves its body alone, so its head is parsed again without the question.
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            method, url, version = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
            if method == b"CONNECT":
                self._refuse(405, "method CONNECT not allowed")
                return
            lines = b"".join([b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"])
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version, lines))

    def _refuse(self, status: int, text: str) -> None:
        """Answer what cannot be read on from, and close; where that is not the next answer's turn, only close."""
        if self._task is None and not self._waiting and not self.transport.is_closing():
            kind = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n" % len(text)
            self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], kind, text.encode()))
        self.began, self._in_head, self._closing = 0.0, False, True
        self.transport.close()

    # What the parser calls

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._plain, self._answered, self._secret = True, False, b""
        self._in_head, self._head_size, self._expects = True, 0, False
        self.began = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nothing that comes behind a body may change what was asked
        name = name.lower()
        if name in SPECIAL:
            if name == b"x-consul-token" and not self._secret:
                self._secret = value
            else:
                self._plain = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.should_upgrade():
            return
        if self._plain and self._idle():
            key = (self.url, self._secret) if self._secret and self._app.context.acl is not None else self.url
            entry = self._cache.get(key)
            if entry is not None and self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1":
                self._answered = True
                date = self.server_state.default_headers[0][1]
                self.transport.write(
                    b"%bDate: %b\r\n%b" % (STATUS_LINE[entry.answer.status], date, entry.wire or _wire(entry))
                )
                return
        self._body, self._size = [], 0
        if not self._plain and any(n == b"expect" and v.lower() == b"100-continue" for n, v in self.headers):
            self._expects = True
            self._invite()

    def _invite(self) -> None:
        """Ask for the body of a client that waits to be asked, once what it asked before is answered."""
        if self._expects and self._idle():
            self._expects = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _idle(self) -> bool:
        """Whether an answer may be written now: nothing is being answered, and the client reads what it gets."""
        return self._task is None and not self._waiting and not self.flow.write_paused and not self._closing

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        self._expects = False
        if not self._answered and self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # `_parse` has it parsed as the plain request that it is for us
        self.began = 0.0
        keep_alive = self.parser.should_keep_alive()
        if self._answered:
            if not keep_alive:
                self.transport.close()
            return
        if self._closing or self.transport.is_closing():
            return
        remote = self.client[0] if self.client else ""
        request = Request(
            self.parser.get_method().decode("ascii"), self.url, dict(self.headers), b"".join(self._body), remote
        )
        self._body = []
        if self._size > MAX_BODY:
            self._refuse(413, f"Request body ({self._size} bytes) is too large, at most {MAX_BODY} bytes are taken")
        elif not self._idle():
            self._waiting.append((request, keep_alive))
            if len(self._waiting) >= MAX_AHEAD:
                self.flow.pause_reading()
        else:
            self._start(request, keep_alive)

    # What happens to a request

    def _start(self, request: Request, keep_alive: bool) -> None:
        answer = self._app.begin(request)
        if isinstance(answer, Answer) and answer.stream is None:
            self._send(request, answer, keep_alive)
        else:
            self._task = self.loop.create_task(self._finish(request, answer, keep_alive))
            self.server_state.tasks.add(self._task)

    async def _finish(self, request: Request, answer: Answer | Awaitable[Answer], keep_alive: bool) -> None:
        task = self._task
        try:
            if not isinstance(answer, Answer):
                answer = await answer
            if answer.stream is None:
                self._send(request, answer, keep_alive)
            else:
                await self._stream(answer, answer.stream)
        finally:
            self._task = None
            if task is not None:
                self.server_state.tasks.discard(task)
        self._next()

    def _next(self) -> None:
        while self._waiting and self._task is None and not self.flow.write_paused and not self.transport.is_closing():
            self._start(*self._waiting.popleft())
        if len(self._waiting) < MAX_AHEAD and not self.flow.write_paused and self.flow.read_paused:
            if self.began:
                self.began = self.loop.time()  # it was us who did not read on
            self.flow.resume_reading()
        self._invite()

    def _send(self, request: Request, answer: Answer, keep_alive: bool) -> None:
        if self.transport.is_closing():
            return
        body = answer.body if request.method != "HEAD" else b""
        keep_alive = keep_alive and not (self._closing and not self._waiting)
        head = self._head(answer, self._connection(keep_alive))
        self.transport.write(b"%b%b" % (head, body))
        if not keep_alive:
            self.transport.close()

    def _connection(self, keep_alive: bool) -> bytes:
        """The header that says whether the connection stays open, where that is not plain."""
        if not keep_alive:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if self.parser.get_http_version() == "1.0" else b""

    def _head(self, answer: Answer, more: bytes) -> bytes:
        date = self.server_state.default_headers[0][1]
        lines = b"".join([b"%b: %b\r\n" % header for header in answer.headers])
        return b"%bDate: %b\r\n%b%b\r\n" % (STATUS_LINE[answer.status], date, lines, more)

    async def _stream(self, answer: Answer, parts: AsyncIterator[bytes]) -> None:
        """Send a body whose length is not known, as it comes; a reader that is slow is waited for."""
        chunked = self.parser.get_http_version() != "1.0"
        more = b"Transfer-Encoding: chunked\r\n" if chunked else b""
        self.transport.write(self._head(answer, more + b"Connection: close\r\n"))
        async for part in parts:
            if self.transport.is_closing():
                return
            if part:
                self.transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                await self.flow.drain()
        if chunked:
            self.transport.write(b"0\r\n\r\n")
        self.transport.close()

    # What the transport and the server call

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that sends no more gets what is being answered, if that does not take long; it may as well be gone."""
        if self._task is None and not self._waiting:
            return False
        self._closing = True
        self.loop.call_later(HALF_CLOSED, self.transport.close)
        return True

    def pause_writing(self) -> None:
        """The client does not read its answers: it gets no more of them, and is read no further."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._next()

    def cut_off(self) -> None:
        """Close on a client that is too slow; one that has not even taken its answers since is not waited for again."""
        if self.flow.read_paused:
            return  # it is us who do not read on
        if self.transport.is_closing():
            self.transport.abort()
        self.transport.close()

    def shutdown(self) -> None:
        """Close once the running request is answered."""
        self._closing = True
        if self._task is None:
            self.transport.close()


def _wire(entry: Entry) -> bytes:
    """What follows the status line and the date."""
    answer = entry.answer
    head = b"".join([b"%b: %b\r\n" % header for header in answer.headers])
    entry.wire = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(answer.body), answer.body)
    return entry.wire
