"""Many HTTP requests on one connection, sent before their responses are read."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PATIENCE_S = 20.0
BATCH = 64  # requests in flight; their responses fit into the buffers of the kernel
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Asked(NamedTuple):
    """A request: its bytes, and whether its response has no body."""

    data: bytes
    bodiless: bool = False


class Response(NamedTuple):
    """A response: status, head and body."""

    status: int
    head: bytes
    body: bytes


def request(method: str, target: str, headers: Sequence[str] = (), body: bytes = b"") -> Asked:
    """Return a request as bytes; header lines as they are."""
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = (f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers, *length, "", "")
    return Asked("\r\n".join(lines).encode("latin-1") + body, method == "HEAD")


def responses(port: int, requests: Sequence[Asked]) -> Iterator[Response]:
    """Yield the response to each request, in order; a new connection is made when the agent ends one after a response."""
    done = 0
    while done < len(requests):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
            reader = _Reader(connection)
            for start in range(done, len(requests), BATCH):
                batch = requests[start : start + BATCH]
                connection.sendall(b"".join(one.data for one in batch))
                for one in batch:
                    response = reader.response(one.bodiless)
                    done += 1
                    yield response
                    if b"connection: close" in response.head.lower():
                        break
                if done < start + len(batch):
                    break


class _Reader:
    """Reads responses from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._data, self._at = connection, b"", 0

    def _more(self) -> None:
        part = self._connection.recv(1 << 18)
        if not part:
            raise EOFError(f"the connection ended after {self._data[self._at :][:200]!r}")
        self._data, self._at = self._data[self._at :] + part, 0

    def response(self, bodiless: bool) -> Response:
        """Return the next response.  Raises EOFError, and AssertionError for one whose end cannot be known."""
        while (end := self._data.find(b"\r\n\r\n", self._at)) < 0:
            self._more()
        head = self._data[self._at : end]
        status = int(head[9:12])
        found = _LENGTH.search(head)
        assert found is not None or bodiless or status in (204, 304), f"a response without a length: {head!r}"
        length = 0 if bodiless or found is None else int(found[1])
        begin = end + 4 - self._at
        while len(self._data) - self._at < begin + length:
            self._more()
        body = self._data[self._at + begin : self._at + begin + length]
        self._at += begin + length
        return Response(status, head, body)
