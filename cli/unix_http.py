"""HTTP over a unix socket: how demonstrations reach agents and HAProxy in other namespaces, and a container engine."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """status: 0 when there was no answer; then `body` is the reason."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """Return the JSON of a success, else None."""
        try:
            return json.loads(self.body) if self.status == 200 else None
        except ValueError:
            return None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, body: Any = None, timeout: float = 10.0) -> Answer:
    """Send one request; a body that is not bytes is sent as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
    connection = _Connection(path, timeout)
    try:
        connection.request(method, target, data, {"Connection": "close", **kind})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Answer(0, reason.encode())
    finally:
        connection.close()
