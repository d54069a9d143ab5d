"""One HTTP/1.1 connection to the agent: TCP, TLS or a unix socket below, httptools' parser above.

http.client would double the time a one-shot command takes to start; ssl is imported only for HTTPS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pyconsul.agent.common.consul_environment import InvalidSetting, UnreadableFile
from pyconsul.agent.common.http_answer import Answer, AnswerError, encrypt, open_socket
from pyconsul.agent.common.reasons import reason
from pyconsul.cli.errors import CliError, Unreachable, UsageError

if TYPE_CHECKING:
    from _socket import socket

    from pyconsul.agent.common.consul_environment import AgentAddress, Tls

#: Time limit for a connection. Responses have none: a blocking query takes minutes.
CONNECT_TIMEOUT = 10.0
_CHUNK = 65536


class Dropped(Exception):
    """The agent closed a kept connection without a response: the request may be sent again."""


class Connection:
    """Connects at the first request and stays connected until the agent closes."""

    def __init__(self, address: AgentAddress, tls: Tls) -> None:
        self._address = address
        self._tls = tls
        self._socket: socket | None = None
        self._answer = Answer()

    def start(
        self, request: bytes, timeout: float | None, more: Iterable[bytes] = (), max_bytes: int | None = None
    ) -> Answer:
        """Send a request, with `more` of its body in pieces, and receive the answer's status and headers.

        `timeout` is in seconds, between two pieces of the answer. `max_bytes` limits the body. Raises Unreachable, and
        Dropped.
        """
        fresh = self._socket is None
        sock = self._socket or connect(self._address, self._tls)
        self._socket = sock
        self._answer = Answer(max_bytes)
        try:
            sock.settimeout(timeout)
            sock.sendall(request)
            try:
                for piece in more:
                    sock.sendall(piece)
            except ConnectionError:
                pass  # a server that refuses a long body responds and closes before the end
            while not self._answer.started:
                self._receive(sock)
        except OSError as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise Unreachable(f"no answer from the agent at {self._address}: {reason(error)}") from None
            raise Dropped from None
        return self._answer

    def body(self) -> Iterator[bytes]:
        """Yield the pieces of the response's body. Raises Unreachable when it is cut off."""
        answer = self._answer
        try:
            while True:
                yield from answer.take_chunks()
                if answer.complete:
                    break
                assert self._socket is not None
                self._receive(self._socket)
        except OSError as error:
            self.close()
            raise Unreachable(f"the answer of the agent at {self._address} broke off: {reason(error)}") from None
        if answer.closing:
            self.close()

    def _receive(self, sock: socket) -> None:
        data = sock.recv(_CHUNK)
        if not data and self._answer.started and self._answer.closing:
            self._answer.finish()  # a body without a length ends with the connection
            return
        if not data:
            raise ConnectionResetError("the connection was closed")
        try:
            self._answer.feed(data)
        except AnswerError as error:
            self.close()
            raise Unreachable(f"no usable answer from the agent at {self._address}: {error}") from None

    def close(self) -> None:
        """Close the socket; the next request connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connect(address: AgentAddress, tls: Tls) -> socket:
    """Return a connected socket. Raises Unreachable with the origin of the address and how to start an agent."""
    try:
        sock = open_socket(address.host, address.port, address.unix, CONNECT_TIMEOUT)
    except OSError as error:
        raise Unreachable(
            f"Error connecting to the agent at {address}: {reason(error)}.\n"
            "Start one with `pyconsul agent -dev`, or say where it is with -http-addr or CONSUL_HTTP_ADDR.",
            error,
        ) from None
    return _encrypted(sock, address, tls) if address.secure else sock


def _encrypted(sock: socket, address: AgentAddress, tls: Tls) -> socket:
    try:
        context = tls.context()
    except InvalidSetting as error:
        sock.close()
        raise UsageError(str(error)) from None
    except UnreadableFile as error:
        sock.close()
        raise CliError(str(error)) from None
    try:
        return encrypt(sock, context, tls.server_name or address.host)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; an invalid IDNA name a ValueError
        raise Unreachable(f"no TLS connection to the agent at {address}: {reason(error)}") from None
