"""A stream of events of the web interface, without a browser."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlencode

from support.agent_process import AgentProcess


class Stream:
    """An open stream of events."""

    def __init__(self, agent: AgentProcess, *pages: str, seen: str = "", cookie: str = "") -> None:
        query = urlencode([pair for page in pages for pair in (("page", page), ("seen", seen))])
        sent = f"Cookie: {cookie}\r\n" if cookie else ""
        self._socket = socket.create_connection(("127.0.0.1", agent.http_port), 10)
        self._socket.sendall(f"GET /ui/live?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{sent}\r\n".encode())
        self._file = self._socket.makefile("rb")

    def next(self) -> tuple[str, dict[str, object]]:
        """Return the next event and its data."""
        name = ""
        for line in self._file:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            if line.startswith(b"data: "):
                return name, json.loads(line[6:])
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self._file.close()
        self._socket.close()
