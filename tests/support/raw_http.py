"""HTTP as bytes on a socket: what no well-behaved client sends, and strict reading of what comes back."""

from __future__ import annotations

import socket
from typing import NamedTuple

PATIENCE = 20.0  # seconds


class Response(NamedTuple):
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    version: str = "HTTP/1.1"


class Raw:
    """A connection to a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.socket.close()

    def send(self, *parts: bytes) -> Raw:
        self.socket.sendall(b"".join(parts))
        return self

    def ask(self, line: str, *headers: str, body: bytes = b"") -> Response:
        """Send one request with a Host, and read its answer."""
        head = "\r\n".join((f"{line} HTTP/1.1", "Host: x", *headers, "", ""))
        self.send(head.encode("latin-1"), body)
        return self.answer(head=line.startswith("HEAD "))

    def answer(self, head: bool = False) -> Response:
        """Read one answer, to its end and not beyond.  Raises EOFError when the connection ended instead."""
        status, headers, version = self._head()
        if head or status in (204, 304) or status < 200:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._line(), 16):
                body += self.reader.read(size)
                assert self._line() == b""
            assert self._line() == b""
        elif "content-length" in headers:
            body = self.reader.read(int(headers["content-length"]))
            assert len(body) == int(headers["content-length"])
        else:
            assert headers.get("connection") == "close"
            body = self.reader.read()
        return Response(status, headers, body, version)

    def _head(self) -> tuple[int, dict[str, str], str]:
        version, number, _ = self._line().decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while line := self._line():
            name, colon, value = line.decode("latin-1").partition(": ")
            assert colon, f"no header: {line!r}"
            assert name.lower() not in headers or name.lower() == "vary", f"twice: {line!r}"
            headers[name.lower()] = value
        return int(number), headers, version

    def _line(self) -> bytes:
        line = self.reader.readline(1 << 20)
        if not line:
            raise EOFError("the connection ended")
        assert line.endswith(b"\r\n"), f"a torn line: {line!r}"
        return line[:-2]

    def everything(self) -> bytes:
        """What comes until the connection ends, however it ends."""
        parts = []
        try:
            while part := self.reader.read1(65536):
                parts.append(part)
        except ConnectionError:
            pass
        return b"".join(parts)

    def ended(self) -> bool:
        """Return whether the connection ends with nothing more coming."""
        return self.everything() == b""
