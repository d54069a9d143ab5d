"""Plain GET requests as bytes, and the rules for their responses: shared by the clients that do without httpx. Pure but for
reading the token file.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from pyconsul.agent.common.http_answer import quote
from pyconsul.tools.consul.connection import Connection, ConsulError

REDIRECTS = (301, 302, 303, 307, 308)


class PlainRequests:
    """The requests of one connection. Raises ConsulError for an address that makes no sense."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.address = connection.agent_address()

    def target(self, path: str, params: Mapping[str, str]) -> str:
        """Return the target of a request. `path` is not yet escaped."""
        words = [f"{quote(name, slash=False)}={quote(value, slash=False)}" for name, value in params.items()]
        return self.address.prefix + quote(path) + ("?" + "&".join(words) if words else "")

    def redirected(self, status: int, location: str) -> str:
        """Return the target that a redirect names. Raises ConsulError for another host: it must not see the token."""
        if not location.startswith("/") or location.startswith("//"):
            raise ConsulError(
                f"{self._connection.address} redirects to another host ({status}); use that host's address", status
            )
        return location

    def request(self, target: str) -> bytes:
        """Return the bytes of a GET. Raises ConsulError for an unreadable token file and for invalid headers."""
        lines = [
            f"GET {target} HTTP/1.1",
            _header("Host", self.address.authority),
            _header("User-Agent", "pyconsul"),
            _header("Accept", "application/json"),
        ]
        if self._connection.auth:
            user, _, password = self._connection.auth.partition(":")
            word = base64.b64encode(f"{user}:{password}".encode()).decode()
            lines.append(_header("Authorization", f"Basic {word}"))
        if token := self._connection.read_token():
            lines.append(_header("X-Consul-Token", token))
        if not self._connection.keep_alives:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @staticmethod
    def refusal(path: str, status: int, body: bytes) -> ConsulError:
        """Return the error of a response that is neither 200 nor 404."""
        text = " ".join(body.decode(errors="replace").split())[:200]
        return ConsulError(f"GET {path}: {status}: {text}", status)


def _header(name: str, value: str) -> str:
    """Raises ConsulError for what is no header; it does not show the value, which may be a secret."""
    if any(not (" " <= letter <= "~" or "\x80" <= letter <= "\xff" or letter == "\t") for letter in value):
        raise ConsulError(f"the header {name} would hold a line break, or another character that is not allowed there")
    stripped = value.strip(" \t")
    return f"{name}: {stripped}"
