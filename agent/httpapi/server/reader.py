"""Turns the bytes of a connection into requests: httptools parses, and calls the `on_…` methods."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

import httptools

from pyconsul.agent.httpapi.server.body_stream import BodyStream
from pyconsul.agent.httpapi.server.contract import DEFAULT_BODY, Application, BodyRule, Response
from pyconsul.agent.httpapi.server.limits import Limits
from pyconsul.agent.httpapi.server.wire import text_response

# The reader's position in a message.  BROKEN: in a refused one.  ENDED: behind the last one of the connection.
BETWEEN, HEAD, BODY, BROKEN, ENDED = range(5)

# Headers that matter here.  SPECIAL: the response, or how it is sent, may depend on it.
SPECIAL, HOST, TOKEN, LENGTH, CHUNKED, EXPECT, TWO_HOSTS = (1 << bit for bit in range(7))
FLAGS = {
    b"host": HOST,
    b"x-consul-token": TOKEN,
    b"content-length": LENGTH | SPECIAL,
    b"transfer-encoding": CHUNKED | SPECIAL,
    b"expect": EXPECT | SPECIAL,
    **dict.fromkeys((b"authorization", b"accept-encoding", b"upgrade"), SPECIAL),
    # Sent by browsers: the application looks at where such a request comes from.
    **dict.fromkeys((b"origin", b"sec-fetch-site", b"accept-language"), SPECIAL),
    # The application may refuse such a request.
    **dict.fromkeys((b"cache-control", b"x-consul-namespace", b"x-consul-partition"), SPECIAL),
}
MALFORMED_HOST = re.compile(rb"[^A-Za-z0-9!$%&'()*+,\-.:;=\[\]_~]")
SMALL_DIGITS = 4  # of the length of a body that is read at once, whatever the rule of its route says
HEADER_COST = 150  # bytes of memory for a header line, without its text
NO_PROGRESS = 64 << 10  # maximum bytes of chunk extensions or trailers without body data

# Flags of a request that decide how its response is sent.
KEEP_ALIVE, HTTP_1_0 = 1, 2


class Unreadable(Exception):
    """The client's bytes cannot be parsed any further."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Receiver(Protocol):
    """The connection, as its reader uses it."""

    def answer_from_cache(self, target: bytes, token: bytes) -> bool:
        """Send the cached response of a GET, now or soon; False when there is none, or when it is not its turn."""

    def take(self, request: Any, mode: int, refusal: Response | None = None) -> None:
        """Start the response to a request, now or in its turn."""

    def invite(self) -> None:
        """Invite a client that waits with its body (`expects`) to send it, if it is its turn."""

    def update_reading(self) -> None:
        """Pause or resume reading, according to the present state."""

    def shutdown(self) -> None:
        """Close after the response to the running request."""


class RequestReader:
    """The requests of one connection.  `began`: when the unfinished one began (loop time), or 0."""

    def __init__(self, receiver: Receiver, application: Application, limits: Limits, remote: str) -> None:
        self._receiver, self._application, self._limits, self._remote = receiver, application, limits, remote
        self._bodies = limits.bodies
        self.held = 0  # bytes of bodies that count against the budget, until `release`
        self._loop = asyncio.get_running_loop()
        self._new_parser()
        self.phase = BETWEEN
        self.began = 0.0
        self.count = 0  # messages that have begun
        self.hit: tuple[bytes, bytes] | None = None  # target and token of a message that was answered from the cache
        self.expects = False
        self.stream: BodyStream | None = None
        self._refused: Response | None = None
        self._head_size = self._idle_size = 0
        self._known_host = b""
        self._target = self._token = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._flags = 0
        self._length = b""
        self._is_1_0 = False
        self._request: Any = None
        self._rule = BodyRule(0)
        self._parts: list[bytes] = []
        self._size = 0

    def _new_parser(self) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # `ENDED` ignores such data

    def feed(self, data: bytes | memoryview) -> None:
        """Parse received bytes.  Raises Unreadable once; later bytes are ignored."""
        if self.phase >= BROKEN:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error  # noqa: B904 - ours, not the parser's
        except httptools.HttpParserError:
            if self._refused is None and self.phase < BROKEN:
                self._refuse(400, "400 Bad Request")
        if self.phase != BETWEEN:
            self._check_unfinished(len(data))

    def _check_unfinished(self, size: int) -> None:
        """Raises Unreadable for a message that was refused, or whose head or trailers do not end."""
        if self.phase == HEAD:
            self._head_size += size
            lines = len(self._headers)
            if self._head_size + lines * HEADER_COST > self._limits.head or lines > self._limits.headers:
                self._refuse(431, "431 Request Header Fields Too Large")
        elif self.phase == BODY:
            self._idle_size += size
            if self._idle_size > NO_PROGRESS:
                self._refuse(431, "431 Request Header Fields Too Large")
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise Unreadable(refused)

    def _parse_without_upgrade(self, rest: bytes | memoryview) -> None:
        """Ignore the wish of a request to change the protocol (curl --http2): only HTTP/1.1 is supported.

        The parser skips the body of such a request, so its head is parsed again without the `Upgrade` header.
        """
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(405, "method CONNECT not allowed")
            return
        lines = b"".join([b"%b: %b\r\n" % header for header in self._headers if header[0] != b"upgrade"])
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._target, version, lines)
        self._new_parser()
        self.feed(head)
        if rest:
            self.feed(rest)

    def release(self, size: int) -> None:
        """Give memory of bodies back."""
        size = min(size, self.held)
        self.held -= size
        self._bodies.used -= size

    def is_streaming(self, request: Any) -> bool:
        """Return whether a request's body is handed on while it arrives, and has not arrived in full."""
        stream = self.stream
        return stream is not None and request is not None and request.stream is stream and not stream.ended

    def _refuse(self, status: int, text: str) -> None:
        if self._refused is None:
            self._refused = text_response(status, text)
        self.phase, self.began = BROKEN, 0.0
        self._headers, self._parts = [], []

    # Called by the parser

    def on_message_begin(self) -> None:
        if self.phase >= BROKEN:
            return
        self.phase, self.began = HEAD, self._loop.time()
        self.count += 1
        self.hit = self.stream = None
        self._target = self._token = b""
        self._headers = []
        self._flags = self._head_size = 0

    def on_url(self, target: bytes) -> None:
        if self.phase != HEAD:
            return
        self._target = self._target + target if self._target else target
        if len(self._target) > self._limits.target:
            self._refuse(414, f"414 URI Too Long: the request target may have {self._limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase != HEAD:
            return  # a trailer: it must not change the request
        name = name.lower()
        flag = FLAGS.get(name)
        if flag is not None:
            if flag == HOST and not self._flags & HOST and value == self._known_host:
                self._flags |= HOST
            else:
                value = value.rstrip(b" \t")
                self._note(flag, value)
        self._headers.append((name, value))

    def _note(self, flag: int, value: bytes) -> None:
        if flag == HOST:
            if self._flags & HOST:
                flag = TWO_HOSTS
            if value != self._known_host:
                if MALFORMED_HOST.search(value):
                    self._refuse(400, "400 Bad Request: malformed Host header")
                self._known_host = value
        elif flag == TOKEN:
            if self._flags & TOKEN:
                return  # of two the first counts
            self._token = value
        elif flag & LENGTH:
            self._length = value
        self._flags |= flag

    def on_headers_complete(self) -> None:
        parser, flags = self._parser, self._flags
        if self.phase != HEAD or parser.should_upgrade():
            return
        self._is_1_0 = parser.get_http_version() != "1.1"
        if len(self._headers) > self._limits.headers:
            self._refuse(431, "431 Request Header Fields Too Large")
        elif flags & TWO_HOSTS:
            self._refuse(400, "400 Bad Request: too many Host headers")
        elif not flags & HOST and not self._is_1_0:
            self._refuse(400, "400 Bad Request: missing required Host header")
        if self.phase != HEAD:
            return
        self.phase = BODY
        method = parser.get_method()
        if (
            not flags & SPECIAL
            and not self._is_1_0
            and method == b"GET"
            and self._receiver.answer_from_cache(self._target, self._token)
        ):
            self.hit = self._target, self._token
            return
        self._request = self._application.new_request(
            method.decode("ascii"), self._target, dict(reversed(self._headers)), b"", self._remote
        )
        self._parts, self._size = [], 0
        if flags & CHUNKED or (flags & LENGTH and int(self._length)):
            self._expect_body()

    def _expect_body(self) -> None:
        request, flags = self._request, self._flags
        if not flags & (CHUNKED | EXPECT) and len(self._length) <= SMALL_DIGITS:
            self._rule, self._idle_size, self.expects = DEFAULT_BODY, 0, False  # not worth a question
            return
        rule = self._application.body_rule(request)
        if isinstance(rule, Response):
            self._give_up(rule)
            return
        self._rule, self._idle_size, self.expects = rule, 0, False
        if rule.stream:
            self.stream = request.stream = BodyStream(self._receiver.update_reading)
            self._receiver.take(request, self._mode())
        elif not flags & CHUNKED and int(self._length) > rule.limit:
            self._too_large(int(self._length))
            return
        if flags & EXPECT and (b"expect", b"100-continue") in [(n, v.lower()) for n, v in self._headers]:
            self.expects = True
            self._receiver.invite()

    def _mode(self) -> int:
        mode = KEEP_ALIVE if self._parser.should_keep_alive() else 0
        return mode | HTTP_1_0 if self._is_1_0 else mode

    def _too_large(self, size: int) -> None:
        self._give_up(self._application.too_large(self._request, self._rule, size))

    def _give_up(self, refusal: Response) -> None:
        """Respond without reading the body, and make it the last response of this connection."""
        self._receiver.take(self._request, self._mode() & ~KEEP_ALIVE, refusal)
        self.phase, self.began, self._parts = BROKEN, 0.0, []

    def on_body(self, body: bytes) -> None:
        if self.phase != BODY or self.hit is not None:
            return
        self._idle_size, self.expects = 0, False
        bodies, size = self._bodies, len(body)
        if self.stream is not None:
            self.began = self._loop.time()
            self.stream.feed(body)
            return
        self._size += size
        if self._size > self._rule.limit:
            self._too_large(self._size)
        elif bodies.used + size > bodies.limit:
            text = f"the bodies of all requests in progress fill the {bodies.limit} bytes kept for them; retry later"
            self._give_up(text_response(503, text))
        else:
            bodies.used += size
            self.held += size
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self.phase != BODY:
            return  # refused; or in `HEAD`, for a change of protocol
        self.began, self.expects = 0.0, False
        mode = self._mode()
        self.phase = BETWEEN if mode & KEEP_ALIVE else ENDED
        if self.hit is not None:
            if self.phase == ENDED:
                self._receiver.shutdown()
        elif self.stream is not None:
            self.stream.end()
        else:
            request, self._request = self._request, None
            if self._parts:
                request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._parts = []
            self._receiver.take(request, mode)
