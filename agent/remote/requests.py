"""Requests of this agent itself to the servers, and what their responses mean for the caller."""

from __future__ import annotations

from urllib.parse import quote

from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import AskServer, RPCError, ServedByItself
from pyconsul.agent.state.contract import Unavailable

MAX_TEXT = 300  # characters of an error text that are shown


class Rejected(Exception):
    """A server refuses a request; `status` and `body` are those of its response."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(_text(body))
        self.status, self.body = status, body


class ServedHere(Unavailable):
    """No server was asked, since this agent is about to have the state itself."""


def path(*parts: str) -> str:
    """Return a path below /v1/pyconsul; the parts are escaped."""
    return "/v1/pyconsul/" + "/".join(map(_escaped, parts))


def _escaped(part: str) -> str:
    quoted = quote(part, safe="")
    return quoted.replace(".", "%2E") if not part.strip(".") else quoted  # "..", which a path must not have


async def ask(
    servers: AskServer, scope: Scope, method: str, target: str, token: str = "", body: bytes = b""
) -> Response:
    """Return the response with status 200 to a request.

    Raises Unavailable (also ServedHere) without a server or a leader, and Rejected for any other error.
    """
    # A token is named in any case: without one the server's own default token would count.
    headers = {b"x-consul-token": (token or "anonymous").encode("latin-1", "replace")}
    try:
        response = await servers(scope, Request(method, target.encode(), headers, body))
    except ServedByItself as error:
        raise ServedHere(str(error)) from None
    except RPCError as error:
        raise Unavailable(str(error)) from None
    if response.status == 200:
        return response
    body = bytes(response.body)
    if response.status >= 500 or response.status == 429:
        raise Unavailable(_text(body) or f"status {response.status}")
    raise Rejected(response.status, body)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")[:MAX_TEXT]
