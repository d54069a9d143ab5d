"""The contract between the server and its application.

A connection asks its application some things, in this order:

    new_request(…)          once the head of a request is there: an `HTTPRequest`, or a subclass with more to it
    body_rule(request)      before the first byte of a body is kept: how much of it is taken, and how; or a refusal
    too_large(request, …)   instead of `begin`, for a body that is larger
    begin(request)          the response, or an awaitable of it; must not raise
    cached(target, token)   instead of all that, for a plain GET: the finished bytes of a response, or None
    current(target, token, respond)   after None: the same, but later; or None

A route that takes large bodies (a snapshot, forwarded requests) returns `BodyRule(stream=True)`.  Then `begin` is called
as soon as the head is there, `request.body` stays empty, and `request.stream` yields the parts as they come:

    async for part in request.stream: ...            # the client is read no faster than the parts are taken
    file = await spooled(request)                    # or all of it in an unnamed temporary file (`body_stream.spooled`)

When the client goes away before the end, the task of its request is cancelled, as always; any other task that reads gets
`BodyLost`.  A response that is sent before the stream has ended
closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
#: A response as bytes: its status line, and what follows the Date header.
Wire: TypeAlias = tuple[bytes, bytes]
#: The header of server-sent events; such a stream does not count among the connections of a client.
EVENTS = (b"Content-Type", b"text/event-stream")


class BodyLost(Exception):
    """The client went away before the end of its request's body."""


class Response:
    """A finished response: `body` is sent as it is; a `stream` instead of it, part by part as it comes."""

    __slots__ = ("body", "headers", "status", "stream")

    def __init__(
        self, status: int = 200, body: bytes = b"", headers: Headers = (), stream: AsyncIterator[bytes] | None = None
    ) -> None:
        self.status, self.body, self.headers, self.stream = status, body, headers, stream


class PendingResponse:
    """A response that is complete as soon as a future is done.  Unlike a coroutine it needs no task.

    complete: makes the response from the future once that is done; raises nothing where a connection calls it.
    """

    __slots__ = ("complete", "future")

    def __init__(self, future: asyncio.Future[Any], complete: Callable[[asyncio.Future[Any]], Response]) -> None:
        self.future, self.complete = future, complete

    def __await__(self) -> Generator[Any, None, Response]:
        with suppress(Exception):  # `complete` finds it in the future
            yield from self.future
        return self.complete(self.future)


class HTTPRequest:
    """A request as it came over the wire.

    target: path and query as sent.  headers: names in lower case; of one sent twice the first counts.
    remote: the client's IP address; "" on a unix socket.  stream: the body's parts, where the route asked for that.
    """

    __slots__ = ("body", "headers", "method", "remote", "stream", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        headers: Mapping[bytes, bytes],
        body: bytes = b"",
        remote: str = "",
        stream: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.method, self.target, self.headers, self.body, self.remote = method, target, headers, body, remote
        self.stream = stream


@dataclass(frozen=True, slots=True)
class BodyRule:
    """How a request's body is taken.

    limit: bytes; a longer one is refused before it is buffered.  Does not bind a `stream`.
    stream: hand the body on while it arrives.
    too_large: text of the refusal, with `{size}` and `{limit}`.
    check: called with the request before that refusal; raises for a mistake other than its size.
    """

    limit: int
    stream: bool = False
    too_large: str = "Request body({size} bytes) too large, max size: {limit} bytes."
    check: Callable[[Any], object] | None = None

    def refusal(self, size: int) -> str:
        """Return the text for a body of `size` bytes."""
        return self.too_large.format(size=size, limit=self.limit)


DEFAULT_BODY = BodyRule(1 << 20)  # the rule of routes without one


class Waiting(Protocol):
    """A response that a connection waits for."""

    def cancel(self) -> object:
        """Wait no longer: the client has gone away."""


class Application(Protocol):
    """Responds to requests."""

    @property
    def new_request(self) -> Callable[[str, bytes, Mapping[bytes, bytes], bytes, str], Any]:
        """Makes the request that the other methods get; the arguments are those of `HTTPRequest`."""

    def body_rule(self, request: Any) -> BodyRule | Response:
        """Return how the body of a request is taken; a response refuses the request at once, without reading its body.

        Not asked for a body of less than 10 KB, which is read in any case and then stands in the request.
        """

    def too_large(self, request: Any, rule: BodyRule, size: int) -> Response:
        """Return the refusal of a body of (at least) `size` bytes."""

    def begin(self, request: Any) -> Response | PendingResponse | Awaitable[Response]:
        """Return the response, or what must be awaited to have it; neither ever fails."""

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        """Return the finished bytes of a GET's response, if they are known; `token`: the value of `X-Consul-Token`."""

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> Waiting | None:
        """Let a GET wait whose finished bytes are known, but may be old; None when they are not known.

        respond: called once, and not before this returns; with None when `begin` has to make the response after all.
        """

    def close(self) -> None:
        """End the waiting requests with their responses: the server stops."""
