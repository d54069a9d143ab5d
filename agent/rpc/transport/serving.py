"""The requests of the other agent on a connection, until they are answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import BodyLost, PendingResponse, Response
from pyconsul.agent.rpc.contract import NotSent, Peer, Serve
from pyconsul.agent.rpc.transport import frames
from pyconsul.agent.rpc.transport.asking import MAX_REQUESTS
from pyconsul.agent.rpc.transport.body_flow import ArrivingBody, ArrivingStream, BodyParts, SendWindow
from pyconsul.agent.rpc.transport.channel import Channel

INTERNAL_ERROR = b"internal error; the agent's log says more"
MAX_REQUEST_BYTES = 64 << 20  # of a body that is not a stream
MAX_HELD_BYTES = 128 << 20  # of the bodies of all requests under way
TOO_MUCH = f"requests with {MAX_HELD_BYTES >> 20} MB are under way"
TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"),)

log = logging.getLogger("agent.rpc")

#: Makes a request from method, target, headers, body and address: `App.new_request`.
NewRequest: TypeAlias = Callable[[str, bytes, Mapping[bytes, bytes], bytes, str], Request]


class Service(NamedTuple):
    """The function that serves requests of other agents, and the one that makes them."""

    serve: Serve
    new_request: NewRequest = Request


class _Served:
    """A request that is received or answered.  held: bytes of its body that count."""

    __slots__ = ("body", "held", "request", "running", "stream", "window")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.held = len(request.body)
        self.window = SendWindow()
        self.body: ArrivingBody | None = None
        self.stream: ArrivingStream | None = None
        self.running: asyncio.Future[Any] | None = None

    def lose(self) -> None:
        """End it: the caller has gone."""
        if self.running is not None:
            self.running.cancel()
        if self.stream is not None:
            self.stream.lose(BodyLost("the other agent has ended the request before its body"))


class Serving:
    """The requests of the other agent.  remote: its IP address."""

    def __init__(self, channel: Channel, peer: Peer, remote: str, service: Service) -> None:
        self._channel, self._peer, self._remote, self._service = channel, peer, remote, service
        self._served: dict[int, _Served] = {}
        self._loop = asyncio.get_running_loop()
        self._last = self._held = 0
        self._refusal = ""

    def __len__(self) -> int:
        return len(self._served)

    def refuse_all(self, reason: str) -> None:
        """Refuse new requests from now on."""
        self._refusal = reason

    # --- frames of the other agent; those of requests that have ended meanwhile are ignored

    def take(self, frame: frames.Request) -> None:
        """Take a request.  Raises FrameError."""
        number = frame.id
        if number <= self._last:
            raise frames.FrameError(f"request {number} after request {self._last}")
        self._last = number
        if self._refusal:
            self._refuse(number, self._refusal)
            return
        if len(self._served) >= MAX_REQUESTS:
            self._refuse(number, f"{MAX_REQUESTS} requests of agent {self._peer.name} are under way")
            return
        if self._held + len(frame.body) > MAX_HELD_BYTES:
            self._refuse(number, TOO_MUCH)
            return
        try:
            request = self._service.new_request(frame.method, frame.target, frame.headers, frame.body, self._remote)
            request.origin = self._peer.name
        except Exception:
            log.exception("request of another agent failed before it was served: from=%s", self._peer.name)
            self._respond(number, Response(500, INTERNAL_ERROR, TEXT))
            return
        if frame.more == frames.WHOLE:
            self._begin(number, request, None)
            return
        served = self._add(number, request)
        grant = partial(self._grant, number)
        if frame.more == frames.REST:
            served.body = ArrivingBody(grant, frame.body, MAX_REQUEST_BYTES)
            return
        served.stream = ArrivingStream(grant)
        request.stream = BodyParts(served.stream, _nothing)
        self._begin(number, request, served)

    def feed(self, frame: frames.Part) -> None:
        """Take a part of a request's body.  Raises FrameError."""
        served = self._served.get(frame.id)
        if served is None:
            return
        if served.stream is not None:
            served.stream.feed(frame.data, frame.last)
            return
        if served.body is None:
            raise frames.FrameError("a part of a body that was not announced")
        served.body.feed(frame.data, frame.last)
        served.held += len(frame.data)
        self._held += len(frame.data)
        if self._held > MAX_HELD_BYTES:
            self._end(frame.id)
            self._refuse(frame.id, TOO_MUCH)
        elif served.body.too_large:
            self._end(frame.id)
            text = f"request body too large, max size: {MAX_REQUEST_BYTES} bytes"
            self._respond(frame.id, Response(413, text.encode(), TEXT))
        elif frame.last:
            served.request.body, served.body = served.body.whole, None
            self._begin(frame.id, served.request, served)

    def credit(self, frame: frames.Credit) -> None:
        """Go on with the body of a response."""
        if (served := self._served.get(frame.id)) is not None:
            served.window.add(frame.count)

    def cancel(self, frame: frames.Cancel) -> None:
        """End a request that nobody waits for."""
        if (served := self._remove(frame.id)) is not None:
            served.lose()

    def lose(self) -> None:
        """End all requests: the connection is gone."""
        served, self._served, self._held = self._served, {}, 0
        for one in served.values():
            one.lose()

    # --- responses

    def _begin(self, number: int, request: Request, served: _Served | None) -> None:
        """Serve a request; it gets an entry only if its response is not sent at once."""
        try:
            result = self._service.serve(request, self._peer)
            if isinstance(result, Response):
                self._send(number, request, served, result)
                return
            if isinstance(result, PendingResponse):
                future, complete = result.future, result.complete
            else:
                future, complete = asyncio.ensure_future(result), _result
        except Exception as error:
            self._fail(number, request, error)
            return
        if served is None:
            served = self._add(number, request)
        served.running = future
        future.add_done_callback(partial(self._complete, number, served, complete))

    def _complete(
        self,
        number: int,
        served: _Served,
        complete: Callable[[asyncio.Future[Any]], Response],
        future: asyncio.Future[Any],
    ) -> None:
        """Send the response that a future stands for."""
        if number not in self._served:
            if not future.cancelled():
                future.exception()  # nobody wants it
        elif future.cancelled():
            self._give_up(number)
        else:
            try:
                self._send(number, served.request, served, complete(future))
            except Exception as error:
                self._fail(number, served.request, error)

    def _send(self, number: int, request: Request, served: _Served | None, response: Response) -> None:
        if response.stream is None and len(response.body) <= self._channel.inline_bytes:
            self._end(number)
            self._respond(number, response)
            return
        if served is None:
            served = self._add(number, request)
        served.running = self._loop.create_task(self._send_in_parts(number, served, response))

    async def _send_in_parts(self, number: int, served: _Served, response: Response) -> None:
        """Send a response that takes time."""
        more = frames.REST if response.stream is None else frames.STREAM
        try:
            self._channel.send(frames.Response(number, response.status, response.headers, b"", more))
        except Exception as error:
            self._fail(number, served.request, error)
            return
        try:
            await self._channel.send_body(number, served.window, response.body, response.stream)
        except asyncio.CancelledError:
            self._give_up(number)
            raise
        except Exception:
            log.exception("stream to another agent failed: to=%s path=%s", self._peer.name, served.request.path)
            self._give_up(number)
        else:
            self._end(number)

    def _fail(self, number: int, request: Request, error: Exception) -> None:
        """Refuse a request that was not begun, or respond that it has failed."""
        self._end(number)
        if isinstance(error, NotSent):
            self._refuse(number, str(error))
            return
        log.error("request of another agent failed: from=%s method=%s", self._peer.name, request.method, exc_info=error)
        self._respond(number, Response(500, INTERNAL_ERROR, TEXT))

    def _respond(self, number: int, response: Response) -> None:
        """Send a whole response."""
        try:
            self._channel.send(frames.Response(number, response.status, response.headers, response.body))
        except Exception as error:
            log.error("response to another agent cannot be sent: to=%s: %s", self._peer.name, error)
            self._channel.send(frames.Response(number, 500, TEXT, INTERNAL_ERROR))

    def _refuse(self, number: int, reason: str) -> None:
        self._channel.send(frames.Refusal(number, reason[:1000]))

    def _add(self, number: int, request: Request) -> _Served:
        served = self._served[number] = _Served(request)
        self._held += served.held
        return served

    def _remove(self, number: int) -> _Served | None:
        served = self._served.pop(number, None)
        if served is not None:
            self._held -= served.held
        return served

    def _end(self, number: int) -> None:
        """Forget a request that is answered; the rest of its body is not wanted."""
        served = self._remove(number)
        if served is not None and served.stream is not None:
            served.stream.lose(BodyLost("the request was answered before the end of its body"))

    def _give_up(self, number: int) -> None:
        """End a request without a response, unless the other agent has ended it."""
        if self._remove(number) is not None:
            self._channel.send(frames.Cancel(number))

    def _grant(self, number: int, count: int) -> None:
        if number in self._served:
            self._channel.send(frames.Credit(number, count))


def _result(future: asyncio.Future[Response]) -> Response:
    return future.result()


def _nothing() -> None:
    """A handler need not read the body of its request."""
