"""One HTTP/1.1 connection: requests in, responses out, in the order of the requests.

A GET whose response is cached is written as soon as its head has been parsed.  Any other request goes to the application;
one that it cannot answer at once gets a task.  Requests that a client sends ahead (pipelining) wait their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pyconsul.agent.httpapi.server.contract import EVENTS, PendingResponse, Response, Waiting, Wire
from pyconsul.agent.httpapi.server.reader import (
    BETWEEN,
    BROKEN,
    ENDED,
    HTTP_1_0,
    KEEP_ALIVE,
    RequestReader,
    Unreadable,
)
from pyconsul.agent.httpapi.server.reader import BODY as IN_BODY
from pyconsul.agent.httpapi.server.wire import CHUNKED, CLOSE, CONTINUE, head, text_response
from pyconsul.agent.httpapi.server.wire import KEEP_ALIVE as KEEP_ALIVE_LINE

if TYPE_CHECKING:
    from pyconsul.agent.httpapi.server.server import HTTPServer

SLICE = 4 << 10  # bytes parsed at a time, at most that much is parsed behind the last accepted request
BODY_SLICE = 64 << 10  # the same inside a body
AHEAD = 16 << 10  # bytes of bodies that are read while an earlier request is answered
REPEATED = 2 << 10  # bytes; a longer request is not recognized by its bytes
COPIED = 16 << 10  # bytes; a longer body is not joined with its head

log = logging.getLogger("agent.http")


class Connection(asyncio.Protocol):
    """A connection of an HTTPServer."""

    def __init__(self, server: HTTPServer) -> None:
        self._server, self._application, self._limits = server, server.application, server.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._reader: RequestReader = cast(RequestReader, None)
        self.remote = ""
        self._waiting: deque[tuple[Any, int, Response | None]] = deque()
        self._task: Waiting | None = None  # makes the next response
        self._unread = b""  # received, and not parsed yet
        self._read_paused = self._write_paused = self._closing = False
        self._writable: asyncio.Future[None] | None = None
        # The last request that came alone and was answered from the cache: the same bytes again mean the same.
        self._repeated: bytes | None = None
        self._repeated_hit = (b"", b"")

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.remote = str(peer[0]) if isinstance(peer, tuple) else ""
        self._reader = RequestReader(self, self._application, self._limits, self.remote)
        refusal = self._server.add(self)
        if refusal:
            self._reader.phase = ENDED
            transport.write(refusal)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.remove(self)
        self._closing = True
        if self._task is not None:
            self._task.cancel()
        if self._reader.stream is not None:
            self._reader.stream.lose()
        self._waiting.clear()
        self._unread = b""
        self._reader.release(self._reader.held)
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if data == self._repeated and reader.phase == BETWEEN and self.answer_from_cache(*self._repeated_hit):
            return
        if self._unread:
            self._unread += data
            return
        count = reader.count if reader.phase == BETWEEN else -1
        if len(data) <= SLICE:
            self._feed(data)
            if reader.held > AHEAD:
                self.update_reading()
        else:
            self._parse(data)
        if reader.hit is not None and reader.count == count + 1 and reader.phase == BETWEEN and len(data) <= REPEATED:
            self._repeated, self._repeated_hit = data, reader.hit

    def eof_received(self) -> bool:
        """Send the response under way to a client that closed its sending side, unless that takes long: it may be gone."""
        stream = self._reader.stream
        if (self._task is None and not self._waiting) or (stream is not None and not stream.ended):
            return False
        self._closing = True
        self._loop.call_later(self._limits.half_closed_s, self._transport.close)
        return True

    def pause_writing(self) -> None:
        """Write and read no more: the client does not read its responses."""
        self._write_paused = True
        self.update_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._next()

    # From bytes to requests

    def _parse(self, data: bytes) -> None:
        view, at = memoryview(data), 0
        while at < len(data) and self._reader.phase < BROKEN:
            if self._is_ahead():
                self._unread = bytes(view[at:])
                break
            end = at + (BODY_SLICE if self._reader.phase == IN_BODY else SLICE)
            self._feed(view[at:end])
            at = end
        self.update_reading()

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._reader.feed(data)
        except Unreadable as error:
            self.take(None, 0, error.response)
        except Exception:
            log.exception("a request could not be taken")
            self._reader.phase = BROKEN
            self.take(None, 0, text_response(500, "internal error; the agent's log says more"))

    def _is_ahead(self) -> bool:
        """Return whether the client has sent enough requests ahead of the responses."""
        if len(self._waiting) >= self._limits.pipelined:
            return True
        return self._reader.held > AHEAD and (self._task is not None or bool(self._waiting))

    def update_reading(self) -> None:
        """Pause or resume reading, according to the present state."""
        reader = self._reader
        pause = (
            self._write_paused
            or bool(self._unread)
            or self._is_ahead()
            or (reader.stream is not None and reader.stream.full)
        )
        if pause and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()
        elif self._read_paused and not pause and not self._transport.is_closing():
            self._read_paused = False
            if reader.began:
                reader.began = self._loop.time()  # the pause was ours
            self._transport.resume_reading()

    # Called by the reader

    def answer_from_cache(self, target: bytes, token: bytes) -> bool:
        """Send the cached response of a GET, now or as soon as it is current; False when there is none, or not its turn."""
        if self._task is not None or self._waiting or self._write_paused or self._closing:
            return False
        wire = self._application.cached(target, token)
        if wire is None:
            self._task = self._application.current(target, token, partial(self._answer_current, target, token))
            return self._task is not None
        self._transport.write(b"%b%b%b" % (wire[0], self._server.date, wire[1]))
        return True

    def _answer_current(self, target: bytes, token: bytes, wire: Wire | None) -> None:
        """Send a cached response that is current now; without one begin its request."""
        self._task = None
        if wire is None:
            headers = {b"x-consul-token": token} if token else {}
            self._start(self._application.new_request("GET", target, headers, b"", self.remote), KEEP_ALIVE, None)
        elif not self._transport.is_closing():
            self._transport.write(b"%b%b%b" % (wire[0], self._server.date, wire[1]))
            if self._closing and not self._waiting and not self._unread:
                self.end()
        if self._waiting or self._unread or self._read_paused or self._reader.expects:
            self._next()

    def take(self, request: Any, mode: int, refusal: Response | None = None) -> None:
        """Start the response to a request, now or in its turn."""
        if self._transport.is_closing():
            return
        if self._task is None and not self._waiting and not self._write_paused and not self._closing:
            self._start(request, mode, refusal)
        else:
            self._waiting.append((request, mode, refusal))
            if self._is_ahead():
                self.update_reading()

    def invite(self) -> None:
        """Invite a client that waits with its body (100 Continue) to send it, if it is its turn."""
        is_free = self._task is None and not self._write_paused and not self._closing
        if self._reader.expects and not self._waiting and (is_free or self._reader.stream is not None):
            self._reader.expects = False
            self._transport.write(CONTINUE)

    # From requests to responses

    def _start(self, request: Any, mode: int, refusal: Response | None) -> None:
        if refusal is not None:
            self._send(request, refusal, mode)
            return
        size = len(request.body)
        response = self._application.begin(request)
        if isinstance(response, Response) and response.stream is None:
            self._send(request, response, mode)
            if size:
                self._reader.release(size)
        elif isinstance(response, PendingResponse):
            self._task = response.future
            self._server.tasks.add(response.future)
            response.future.add_done_callback(partial(self._complete, request, response, mode, size))
        else:
            self._task = self._loop.create_task(self._finish(request, response, mode, size))
            self._server.tasks.add(self._task)

    def _complete(
        self, request: Any, response: PendingResponse, mode: int, size: int, future: asyncio.Future[Any]
    ) -> None:
        self._task = None
        self._server.tasks.discard(future)
        if size:
            self._reader.release(size)
        if not future.cancelled():
            completed = response.complete(future)
            if completed.stream is not None:
                self._task = self._loop.create_task(self._finish(request, completed, mode, 0))
                self._server.tasks.add(self._task)
                return
            self._send(request, completed, mode)
        if self._waiting or self._unread or self._read_paused or self._reader.expects:
            self._next()

    async def _finish(self, request: Any, response: Response | Awaitable[Response], mode: int, size: int) -> None:
        task = self._task
        try:
            if not isinstance(response, Response):
                response = await response
            if response.stream is None:
                self._send(request, response, mode)
            else:
                await self._stream(response, response.stream, mode)
        except Exception as error:  # of a stream; its last chunk is missing, so the client knows
            log.warning("a response broke off: %s", error or type(error).__name__)
            self._transport.close()
        finally:
            self._task = None
            if size:
                self._reader.release(size)
            if task is not None:
                self._server.tasks.discard(task)
        self._next()

    def _next(self) -> None:
        """Start the next waiting request, and resume reading."""
        transport = self._transport
        while self._task is None and not self._write_paused and not transport.is_closing():
            if self._waiting:
                self._start(*self._waiting.popleft())
            elif self._unread:
                data, self._unread = self._unread, b""
                self._parse(data)
            else:
                break
        if self._read_paused:
            self.update_reading()
        if self._reader.expects:
            self.invite()

    def _send(self, request: Any, response: Response, mode: int) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        unfinished = self._reader.stream is not None and self._reader.is_streaming(request)
        last = not mode & KEEP_ALIVE or unfinished or (self._closing and not self._waiting and not self._unread)
        more = CLOSE if last else KEEP_ALIVE_LINE if mode & HTTP_1_0 else b""
        body = response.body if request is None or request.method != "HEAD" else b""
        start = head(response, self._server.date, more)
        if len(body) <= COPIED:
            transport.write(start + body)
        else:
            transport.writelines((start, body))
        if last:
            if unfinished:
                self._reader.phase = BROKEN
            self.end()

    async def _stream(self, response: Response, parts: AsyncIterator[bytes], mode: int) -> None:
        """Send a body of unknown length part by part, at the pace of the client."""
        transport, chunked = self._transport, not mode & HTTP_1_0
        if EVENTS in response.headers:
            self._server.exempt(self)
        transport.write(head(response, self._server.date, CHUNKED + CLOSE if chunked else CLOSE))
        try:
            async for part in parts:
                if transport.is_closing():
                    return
                if part:
                    transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                    while self._write_paused:
                        self._writable = self._loop.create_future()
                        await self._writable
        finally:
            if (close := getattr(parts, "aclose", None)) is not None:
                await close()  # at once, and not when the garbage is collected: it may be a request to another agent
        if chunked:
            transport.write(b"0\r\n\r\n")
        self.end()

    # The end

    def end(self) -> None:
        """Close after the last response; a client that still sends gets time to read it."""
        self._closing = True
        self._waiting.clear()
        self._unread = b""
        if self._reader.phase not in (IN_BODY, BROKEN) or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._reader.phase = BROKEN
        self._transport.write_eof()
        self._loop.call_later(self._limits.linger_s, self._transport.close)
        self.update_reading()

    def cut_off(self, late: float) -> None:
        """Close the connection if its request began before `late` and is incomplete, unless reading is paused."""
        if not 0 < self._reader.began < late or self._read_paused:
            return
        if self._transport.is_closing():
            self._transport.abort()  # it has not read its responses since
        self._transport.close()

    def shutdown(self) -> None:
        """Close after the response to the running request."""
        self._closing = True
        if self._task is None:
            self._transport.close()
