"""One HTTP/1.1 connection to the agent: TCP, TLS or a unix socket below, httptools' parser above.

http.client would double the time a one-shot command takes to start; ssl is imported only for HTTPS.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from httptools.parser.parser import HttpResponseParser  # the package itself would bring the URL parser along

from pyconsul.cli.errors import CliError, Unreachable

if TYPE_CHECKING:
    import ssl

    from pyconsul.cli.address import Endpoint, Tls

#: Seconds to wait for a connection. Answers may take as long as they like: a blocking query takes minutes.
CONNECT_TIMEOUT = 10.0
_CHUNK = 65536


class Answer:
    """The answer that is being received; httptools calls the `on_…` methods."""

    __slots__ = ("chunks", "closing", "complete", "headers", "parser", "started")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.started = False
        self.complete = False
        self.closing = False
        self.parser = HttpResponseParser(self)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.parser.get_status_code())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Header names are kept in lower case."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """From here on `status` and `headers` can be read."""
        self.started = self.parser.get_status_code() >= 200
        self.closing = not self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, without the framing of chunks."""
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        """The whole body is there."""
        self.complete = self.started


class Dropped(Exception):
    """The agent closed a connection that had been used before, without a word: it may be tried again."""


class Connection:
    """Connects at the first request and stays connected as long as the agent allows it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket: socket.socket | None = None
        self._answer = Answer()

    def start(self, request: bytes, timeout: float | None, more: Iterable[bytes] = ()) -> Answer:
        """Send a request, with `more` of its body in pieces, and receive the answer's status and headers.

        `timeout` is in seconds, between two pieces of the answer. Raises Unreachable, and Dropped.
        """
        fresh = self._socket is None
        sock = self._socket or connect(self._endpoint)
        self._socket = sock
        self._answer = Answer()
        try:
            sock.settimeout(timeout)
            sock.sendall(request)
            try:
                for piece in more:
                    sock.sendall(piece)
            except ConnectionError:
                pass  # who refuses a long body answers and closes before it was sent
            while not self._answer.started:
                self._receive(sock)
        except OSError as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise Unreachable(f"no answer from the agent at {self._endpoint}: {error}") from None
            raise Dropped from None
        return self._answer

    def body(self) -> Iterator[bytes]:
        """The pieces of the answer's body, as they come. Raises Unreachable when it breaks off."""
        answer = self._answer
        try:
            while True:
                pieces, answer.chunks = answer.chunks, []
                yield from pieces
                if answer.complete:
                    break
                assert self._socket is not None
                self._receive(self._socket)
        except OSError as error:
            self.close()
            raise Unreachable(f"the answer of the agent at {self._endpoint} broke off: {error}") from None
        if answer.closing:
            self.close()

    def _receive(self, sock: socket.socket) -> None:
        data = sock.recv(_CHUNK)
        if not data and self._answer.started and self._answer.closing:
            self._answer.complete = True  # a body without a length ends with the connection
            return
        if not data:
            raise ConnectionResetError("the connection was closed")
        try:
            self._answer.parser.feed_data(data)
        except Exception as error:  # the parser has its own exceptions, one for each mistake
            self.close()
            raise Unreachable(f"what answers at {self._endpoint} does not speak HTTP: {error}") from None

    def close(self) -> None:
        """Close the socket; the next request connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connect(endpoint: Endpoint) -> socket.socket:
    """A connected socket. Raises Unreachable, saying where the address came from and how to start an agent."""
    try:
        if endpoint.unix:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(CONNECT_TIMEOUT)
            sock.connect(endpoint.unix)
            return sock
        # As bytes, a name that is ASCII does without the import of the IDNA codec.
        host = endpoint.host.encode() if endpoint.host.isascii() else endpoint.host
        sock = socket.create_connection((host, endpoint.port), CONNECT_TIMEOUT)  # type: ignore[arg-type]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Unreachable(
            f"Error connecting to the agent at {endpoint}: {reason}.\n"
            "Start one with `pyconsul agent -dev`, or say where it is with -http-addr or CONSUL_HTTP_ADDR."
        ) from None
    return _encrypted(sock, endpoint, endpoint.tls) if endpoint.tls else sock


def _encrypted(sock: socket.socket, endpoint: Endpoint, tls: Tls) -> socket.socket:
    try:
        return _context(tls).wrap_socket(sock, server_hostname=tls.server_name or endpoint.host)
    except OSError as error:  # ssl.SSLError is one
        sock.close()
        raise Unreachable(f"no TLS connection to the agent at {endpoint}: {error}") from None


def _context(tls: Tls) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None, capath=tls.ca_path or None)
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key or None)
    except OSError as error:
        raise CliError(f"cannot read the certificates for HTTPS: {error}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
