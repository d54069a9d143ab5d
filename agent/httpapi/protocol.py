"""One HTTP connection: uvicorn's protocol, which parses, with the answers written by ourselves.

A GET whose answer is cached is written as soon as its head has been parsed.  Any other
request goes to the application once its body is there; one that cannot be answered at
once gets a task.  Requests that a client sends ahead (pipelining) wait their turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Hashable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pyconsul.agent.httpapi.answer import Answer
from pyconsul.agent.httpapi.app import App
from pyconsul.agent.httpapi.cache import Entry
from pyconsul.agent.httpapi.request import Request

MAX_BODY = 64 << 20  # bytes; a snapshot is the largest thing that is sent
MAX_AHEAD = 16  # requests that a client may send before the first is answered; then it is read no further
# Headers that change an answer, or how it is sent.
SPECIAL = frozenset(
    (b"x-consul-token", b"authorization", b"accept-encoding", b"expect", b"upgrade", b"transfer-encoding")
)


class Protocol(HttpToolsProtocol):
    """A connection of the HTTP API.  `began` is when its unfinished request began (loop time), or 0."""

    def __init__(self, app: App, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._app = app
        self._cache = app.cache
        self.began = 0.0
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._plain = self._answered = self._closing = False
        self._secret = b""
        self._body: list[bytes] = []
        self._size = 0

    # What the parser calls

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._plain, self._answered, self._secret = True, False, b""
        self.began = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in SPECIAL:
            if name == b"x-consul-token" and not self._secret:
                self._secret = value
            else:
                self._plain = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._plain and self._task is None:
            entry = self._cache.get(self._key())
            if entry is not None and self.parser.get_method() == b"GET":
                self._answered = True
                date = self.server_state.default_headers[0][1]
                self.transport.write(
                    b"%bDate: %b\r\n%b" % (STATUS_LINE[entry.answer.status], date, entry.wire or _wire(entry))
                )
                return
        self._body, self._size = [], 0
        if not self._plain and (b"expect", b"100-continue") in self.headers:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _key(self) -> Hashable:
        """What a cached answer to this request would be kept by."""
        return self._app.cache_key(self.url, self._secret.decode("latin-1")) if self._secret else self.url

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if not self._answered and self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.began = 0.0
        keep_alive = self.parser.should_keep_alive()
        if self._answered:
            if not keep_alive:
                self.transport.close()
            return
        remote = self.client[0] if self.client else ""
        request = Request(
            self.parser.get_method().decode("ascii"), self.url, dict(self.headers), b"".join(self._body), remote
        )
        self._body = []
        if self._size > MAX_BODY:
            self._closing = True
            self._send(request, _too_large(self._size), False)
        elif self._task is not None:
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
        while self._waiting and self._task is None and not self.transport.is_closing():
            self._start(*self._waiting.popleft())
        if len(self._waiting) < MAX_AHEAD:
            self.flow.resume_reading()

    def _send(self, request: Request, answer: Answer, keep_alive: bool) -> None:
        if self.transport.is_closing():
            return
        body = answer.body if request.method != "HEAD" else b""
        keep_alive = keep_alive and not self._closing
        head = self._head(answer, b"" if keep_alive else b"Connection: close\r\n")
        self.transport.write(b"%b%b" % (head, body))
        if not keep_alive:
            self.transport.close()

    def _head(self, answer: Answer, more: bytes) -> bytes:
        date = self.server_state.default_headers[0][1]
        lines = b"".join([b"%b: %b\r\n" % header for header in answer.headers])
        return b"%bDate: %b\r\n%b%b\r\n" % (STATUS_LINE[answer.status], date, lines, more)

    async def _stream(self, answer: Answer, parts: AsyncIterator[bytes]) -> None:
        """Send a body whose length is not known, as it comes; a reader that is slow is waited for."""
        self.transport.write(self._head(answer, b"Transfer-Encoding: chunked\r\nConnection: close\r\n"))
        async for part in parts:
            if self.transport.is_closing():
                return
            if part:
                self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
                await self.flow.drain()
        self.transport.write(b"0\r\n\r\n")
        self.transport.close()

    # What the transport and the server call

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        super().connection_lost(exc)

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


def _too_large(size: int) -> Answer:
    text = b"Request body (%d bytes) is too large, at most %d bytes are taken" % (size, MAX_BODY)
    return Answer(413, text, ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(text))))
