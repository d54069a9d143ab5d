"""The form in which a client's request is sent to a server."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote, unquote_plus

from pyconsul.agent.httpapi.core.consistency.freshness import parameter_name, without
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest

ORIGIN = b"x-pyconsul-origin"  # header: the agent that the client talks to; believed if a server sends it
FORWARDED_FOR = b"x-forwarded-for"
#: The headers that handlers of servers read.
PASSED = (b"x-consul-token", b"authorization", FORWARDED_FOR, b"content-type")


def forwarded(
    request: Request, *, default_token: str = "", agent: str = "", dropped: Collection[str] = ()
) -> HTTPRequest:
    """Return a request as it is sent to a server.

    default_token: used when the client gave none.   agent: name of this agent, which `?near=_agent` stands for.
    dropped: parameters to leave out.
    """
    passed = PASSED
    if request.route is not None and request.route.pages is not None:
        passed = (*PASSED, *request.route.pages.passed_headers)
    headers = {name: value for name in passed if (value := request.headers.get(name))}
    if request.origin:
        headers[ORIGIN] = request.origin.encode()
    elif default_token and not request.token:
        headers[b"x-consul-token"] = default_token.encode("latin-1", "replace")
    if FORWARDED_FOR not in headers and request.remote:
        headers[FORWARDED_FOR] = request.remote.encode()
    target = request.target
    if request.query:
        if dropped:
            target = without(target, dropped)
        if agent and request.params.get("near") == "_agent":
            target = _near(target, agent)
    return HTTPRequest(request.method, target, headers, request.body, request.remote, request.stream)


def _near(target: bytes, agent: str) -> bytes:
    """Return a target with the name of an agent in place of `_agent`."""
    path, _, query = target.partition(b"?")
    named = b"near=" + quote(agent, safe="").encode()
    parts = [named if _is_near_agent(part) else part for part in query.split(b"&")]
    return path + b"?" + b"&".join(parts)


def _is_near_agent(part: bytes) -> bool:
    value = part.partition(b"=")[2].decode("latin-1")
    return parameter_name(part) == "near" and unquote_plus(value) == "_agent"
