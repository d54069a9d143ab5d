"""The requests that this agent sends over a connection, until their responses are complete."""

from __future__ import annotations

import asyncio
from functools import partial

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Lost, NotSent
from pyconsul.agent.rpc.transport import frames
from pyconsul.agent.rpc.transport.body_flow import ArrivingBody, ArrivingStream, BodyParts, SendWindow
from pyconsul.agent.rpc.transport.channel import Channel

MAX_REQUESTS = 1 << 16  # under way in one direction of a connection
MAX_RESPONSE_BYTES = 512 << 20  # of a body that is not a stream


class _Asked:
    """A request under way.  flush: that of the channel with which it is written.  deadline: of the loop's clock; 0: none."""

    __slots__ = ("body", "deadline", "flush", "future", "head", "sending", "stream", "timeout_s", "window")

    def __init__(self, future: asyncio.Future[Response], flush: int, timeout_s: float) -> None:
        self.future: asyncio.Future[Response] | None = (
            future  # None once it is done: a dropped response ends its stream
        )
        self.flush, self.timeout_s = flush, timeout_s
        self.deadline = 0.0
        self.window = SendWindow()
        self.sending: asyncio.Task[None] | None = None  # of the request's body
        self.head: frames.Response | None = None
        self.body: ArrivingBody | None = None
        self.stream: ArrivingStream | None = None

    def wait_from(self, now: float) -> None:
        """Let the time for the response, or for its next part, begin."""
        if self.timeout_s:
            self.deadline = now + self.timeout_s

    def fail(self, error: Exception) -> None:
        """End it with an error, wherever it is."""
        self.stop_sending()
        if self.stream is not None:
            self.stream.lose(error)
        elif self.future is not None and not self.future.done():
            self.future.set_exception(error)

    def complete(self, response: Response) -> None:
        """Return a response to the waiting task, if it still waits."""
        future, self.future = self.future, None
        if future is not None and not future.done():
            future.set_result(response)

    def stop_sending(self) -> None:
        """Send no more of the request's body."""
        if self.sending is not None:
            self.sending.cancel()


class Asking:
    """The requests of this agent on one connection.  peer: name of the other agent."""

    def __init__(self, channel: Channel, peer: str, first_number: int) -> None:
        self._channel, self._peer = channel, peer
        self._number = first_number
        self._asked: dict[int, _Asked] = {}
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._asked)

    async def ask(self, request: HTTPRequest, timeout_s: float) -> Response:
        """Send a request and return the response.  timeout_s: from the end of the request to the response, and between
        its parts unless it is a stream; 0, and with a streamed request: none.

        Raises NotSent, Lost.
        """
        if len(self._asked) >= MAX_REQUESTS:
            raise NotSent(f"agent {self._peer} has {MAX_REQUESTS} requests of this agent under way")
        number, self._number = self._number, self._number + 2
        body, stream = request.body, request.stream
        more = (
            frames.STREAM
            if stream is not None
            else frames.REST
            if len(body) > self._channel.inline_bytes
            else frames.WHOLE
        )
        future: asyncio.Future[Response] = self._loop.create_future()
        asked = _Asked(future, self._channel.flushes, timeout_s)
        headers = request.headers if type(request.headers) is dict else dict(request.headers)
        inline = body if more == frames.WHOLE else b""
        try:
            self._channel.send(frames.Request(number, request.method, request.target, headers, inline, more))
        except frames.FrameError as error:
            raise NotSent(f"request to agent {self._peer}: {error}") from None
        self._asked[number] = asked
        if more == frames.WHOLE:
            asked.wait_from(self._loop.time())
        else:
            asked.sending = self._loop.create_task(self._send_body(number, asked, request))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.exception()  # marks it as retrieved: the caller is gone
            self._abandon(number)
            raise

    async def _send_body(self, number: int, asked: _Asked, request: HTTPRequest) -> None:
        """Send the body of a request; its own failure ends the request, which was begun."""
        try:
            await self._channel.send_body(number, asked.window, request.body, request.stream)
        except Exception as error:
            self._abandon(number)
            asked.fail(Lost(f"the body of the request to agent {self._peer} has ended early: {error}"))
        else:
            if request.stream is None:
                asked.wait_from(self._loop.time())

    def _abandon(self, number: int) -> None:
        """End a request without a waiting caller."""
        asked = self._asked.pop(number, None)
        if asked is not None:
            self._channel.send(frames.Cancel(number))
            asked.stop_sending()
            if asked.stream is not None:
                asked.stream.lose(Lost("the request was cancelled"))

    # --- frames of the other agent; those of requests that have ended meanwhile are ignored

    def respond(self, frame: frames.Response) -> None:
        """Take a response.  Raises FrameError."""
        asked = self._asked.get(frame.id)
        if asked is None:
            return
        if asked.head is not None:
            raise frames.FrameError("two responses to one request")
        asked.head = frame
        if frame.more == frames.WHOLE:
            self._end(frame.id, asked)
            asked.complete(Response(frame.status, frame.body, frame.headers))
            return
        grant = partial(self._grant, frame.id)
        if frame.more == frames.REST:
            asked.body = ArrivingBody(grant, frame.body, MAX_RESPONSE_BYTES)
            return
        asked.stream = ArrivingStream(grant)
        parts = BodyParts(asked.stream, partial(self._abandon, frame.id))
        asked.complete(Response(frame.status, frame.body, frame.headers, parts))

    def feed(self, frame: frames.Part) -> None:
        """Take a part of a response's body.  Raises FrameError."""
        asked = self._asked.get(frame.id)
        if asked is None:
            return
        if asked.stream is not None:
            if frame.last:
                self._end(frame.id, asked)
            asked.stream.feed(frame.data, frame.last)
            return
        if asked.body is None or asked.head is None:
            raise frames.FrameError("a part of a body that was not announced")
        asked.body.feed(frame.data, frame.last)
        asked.wait_from(self._loop.time())
        if asked.body.too_large:
            self._abandon(frame.id)
            asked.fail(Lost(f"response of agent {self._peer} with more than {MAX_RESPONSE_BYTES} bytes"))
        elif frame.last:
            self._end(frame.id, asked)
            asked.complete(Response(asked.head.status, asked.body.whole, asked.head.headers))

    def credit(self, frame: frames.Credit) -> None:
        """Go on with the body of a request."""
        if (asked := self._asked.get(frame.id)) is not None:
            asked.window.add(frame.count)

    def refuse(self, frame: frames.Refusal) -> None:
        """End a request that the other agent has not begun."""
        if (asked := self._asked.pop(frame.id, None)) is not None:
            asked.fail(NotSent(f"agent {self._peer}: {frame.reason}"))

    def cancel(self, frame: frames.Cancel) -> None:
        """End a request whose response will not come, or not to its end."""
        if (asked := self._asked.pop(frame.id, None)) is not None:
            asked.fail(Lost(f"agent {self._peer} has ended the request without a response"))

    def _end(self, number: int, asked: _Asked) -> None:
        del self._asked[number]
        asked.stop_sending()

    def _grant(self, number: int, count: int) -> None:
        if number in self._asked:
            self._channel.send(frames.Credit(number, count))

    # --- time and end

    def expire(self, now: float) -> None:
        """End the requests whose time is over."""
        late = [number for number, asked in self._asked.items() if 0.0 < asked.deadline <= now and asked.stream is None]
        for number in late:
            asked = self._asked[number]
            self._abandon(number)
            asked.fail(Lost(f"no response of agent {self._peer} in time (limits.rpc_client_timeout)"))

    def lose(self, reason: str) -> None:
        """End all requests: the connection is gone."""
        asked, self._asked = self._asked, {}
        for one in asked.values():
            is_written = one.flush < self._channel.flushes
            one.fail(Lost(reason) if is_written else NotSent(reason))
