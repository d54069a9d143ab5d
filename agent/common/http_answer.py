"""The parts of a blocking HTTP/1.1 client: a socket, the parser of one answer, and the quoting of URLs.

For one-shot commands: http.client would double the time that they take to start.
"""

from __future__ import annotations

import _socket
from typing import TYPE_CHECKING

from httptools.parser.parser import HttpResponseParser  # the package itself would bring the URL parser along

if TYPE_CHECKING:
    import ssl

#: The largest body that is held in memory as a whole.
MAX_BODY_BYTES = 256 << 20
#: The largest body of an error.
MAX_ERROR_BYTES = 1 << 20
#: How much may arrive without a byte of the body: status lines, headers, trailers, framing.
MAX_OVERHEAD_BYTES = 256 << 10

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class AnswerError(Exception):
    """The bytes received are not an acceptable HTTP answer; the text says why and holds none of them."""


class Answer:
    """The answer that is being received; httptools calls the `on_…` methods.

    `max_bytes`: limit of the body; None for a body that is processed piece by piece. An error's body is always limited.
    """

    __slots__ = (
        "_body_bytes",
        "_max_bytes",
        "_overhead",
        "chunks",
        "closing",
        "complete",
        "headers",
        "parser",
        "started",
    )

    def __init__(self, max_bytes: int | None = None) -> None:
        self._max_bytes = max_bytes
        self._body_bytes = 0
        self._overhead = 0
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

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Raises AnswerError."""
        before = self._body_bytes
        try:
            self.parser.feed_data(data)
        except Exception as error:  # httptools has an exception for each mistake
            raise AnswerError(f"the server does not speak HTTP ({type(error).__name__})") from None
        self._overhead = 0 if self._body_bytes > before else self._overhead + len(data)
        if not self.complete and self._overhead > MAX_OVERHEAD_BYTES:
            raise AnswerError(f"its headers are longer than {_size(MAX_OVERHEAD_BYTES)}")
        if self._max_bytes is not None and self._body_bytes > self._max_bytes:
            raise AnswerError(f"its body is longer than {_size(self._max_bytes)}")

    def take_chunks(self) -> list[bytes]:
        """Return the pieces of the body since the last call."""
        chunks, self.chunks = self.chunks, []
        return chunks

    def finish(self) -> None:
        """Note that the body is complete, because the connection has ended."""
        self.complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Header names are kept in lower case."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """From here on `status` and `headers` can be read."""
        self.started = self.parser.get_status_code() >= 200
        self.closing = not self.parser.should_keep_alive()
        if self.parser.get_status_code() >= 300:
            self._max_bytes = MAX_ERROR_BYTES

    def on_body(self, body: bytes) -> None:
        """A piece of the body, without the framing of chunks."""
        self._body_bytes += len(body)
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        """The whole body is there."""
        self.complete = self.started


def _size(size_bytes: int) -> str:
    from pyconsul.agent.common.byte_sizes import format_byte_size  # for errors only

    return format_byte_size(size_bytes, gap=" ")


def open_socket(host: str, port: int, unix: str, timeout: float) -> _socket.socket:
    """Return a socket connected to the path `unix` if there is one, else to `host` and `port`. Raises OSError.

    It is one of the C module: `socket` takes 2 ms to load, which is a tenth of a one-shot command; `encrypt` adds TLS.
    `timeout`: seconds, for the connection and for later operations.
    """
    if unix:
        return _connected(_socket.AF_UNIX, 0, unix, timeout)
    # As bytes, a name that is ASCII does without the import of the IDNA codec.
    name = host.encode() if host.isascii() else host
    failure = OSError("the name has no address")
    for family, _kind, protocol, _name, address in _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM):
        try:
            sock = _connected(family, protocol, address, timeout)
        except OSError as error:
            failure = error
            continue
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        return sock
    raise failure


def _connected(family: int, protocol: int, address: object, timeout: float) -> _socket.socket:
    sock = _socket.socket(family, _socket.SOCK_STREAM, protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(address)  # type: ignore[arg-type]
    except OSError:
        sock.close()
        raise
    return sock


def encrypt(sock: _socket.socket, context: ssl.SSLContext, server_name: str) -> _socket.socket:
    """Return the socket with TLS. Raises OSError, and ValueError for an invalid name; then the socket is closed."""
    import socket

    timeout = sock.gettimeout()
    plain = socket.socket(fileno=sock.detach())
    plain.settimeout(timeout)
    try:
        return context.wrap_socket(plain, server_hostname=server_name)
    except (OSError, ValueError):
        plain.close()
        raise


def quote(text: str, *, slash: bool = True) -> str:
    """Percent-encode a key, a name or a parameter for a URL (RFC 3986); with `slash`, `/` stays."""
    octets = text.encode("utf-8", "surrogateescape")
    if all(octet in _UNRESERVED or (slash and octet == 47) for octet in octets):
        return text
    return "".join(chr(o) if o in _UNRESERVED or (slash and o == 47) else f"%{o:02X}" for o in octets)
