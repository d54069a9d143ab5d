"""Renders responses: bodies, the headers of reads, compression, redirects, and the response to an unknown path."""

from __future__ import annotations

import gzip
import logging
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from pyconsul.agent.acl.authorizer import Forbidden
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.ui import UIConfig
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.consistency.freshness import allows_stale
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    FILTERED,
    JSON,
    TEXT,
    Headers,
    HTTPError,
    Response,
    Result,
    encode,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.state.contract import Refused

GZIP_FROM = 1400  # bytes; smaller responses fit into one packet
MISS, HIT = (b"X-Cache", b"MISS"), (b"X-Cache", b"HIT")  # of a `?cached` read
#: Headers that `response_headers` cannot set: they say where a response ends and how it is to be read.
FRAMING = frozenset(("connection", "content-encoding", "content-length", "content-type", "date", "transfer-encoding"))
INTERNAL_ERROR = b"internal error; the agent's log says more"
FRESH: Headers = ((b"X-Consul-KnownLeader", b"true"), (b"X-Consul-LastContact", b"0"))
LEADERLESS: Headers = ((b"X-Consul-KnownLeader", b"false"), (b"X-Consul-LastContact", b"0"))
NO_WEIGHT = re.compile(rb"q=0(?:\.0*)?")


log = logging.getLogger("agent.http")


def sized(response: Response, request: Request) -> Response:
    """Compress a long body for those who ask for it, and say how long it is."""
    body, headers = response.body, response.headers
    if response.stream is not None:
        return response
    if len(body) >= GZIP_FROM and _takes_gzip(request.headers.get(b"accept-encoding", b"")):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers = (*headers, (b"Content-Encoding", b"gzip"))
    return Response(response.status, body, (*headers, (b"Content-Length", b"%d" % len(body))))


def _takes_gzip(accepted: bytes) -> bool:
    """Return whether an Accept-Encoding names gzip, and not with a weight of 0."""
    for coding in accepted.lower().split(b","):
        name, _, weight = coding.partition(b";")
        if name.strip() == b"gzip":
            return not NO_WEIGHT.fullmatch(weight.strip())
    return False


def redirect(request: Request, path: str, status: int = 307) -> Response:
    escaped = quote(path.encode("latin-1"), safe="/$&+,:;=@")  # as Go: what was escaped is escaped once more
    location = escaped.encode() + (b"?" + request.query if request.query else b"")
    headers: Headers = ((b"Location", location),)
    if request.method not in ("GET", "HEAD"):
        return Response(status, b"", headers)
    link = location.replace(b"&", b"&amp;").replace(b'"', b"&#34;")
    body = b'<a href="%s">%s</a>.\n\n' % (link, HTTPStatus(status).phrase.encode())
    return Response(status, body, (*headers, (b"Content-Type", b"text/html; charset=utf-8")))


def root_of(ui_config: UIConfig) -> str:
    """Return the URL path of the web interface, with a slash at both ends."""
    path = ui_config.content_path.strip("/")
    return f"/{path}/" if path else "/"


def unknown_path(path: str) -> Response:
    if path.startswith("/v1/"):
        text = b"Invalid URL path: not a recognized HTTP API endpoint\n"
    else:
        text = b"Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n"
    return Response(404, text, TEXT)


def encoded(result: Result, found_headers: Headers, route: Route, request: Request) -> Response:
    """Return the response to a read, with the headers of its route."""
    body: Any = result.value
    if not isinstance(body, bytes):
        body = encode(body)
    headers = [
        *(found_headers if result.found else ()),
        (b"X-Consul-Index", b"%d" % max(1, result.index)),
        *FRESH,
    ]
    if result.filtered:
        headers.extend(FILTERED)
    if route.consistency:
        headers.append((b"X-Consul-Effective-Consistency", level_of(request).encode()))
    if route.cached and "cached" in request:
        headers.append(MISS)
    return Response(200 if result.found else 404, body, tuple(headers))


def hit(response: Response) -> Response:
    """Return the response for the next `?cached` reads: a hit of age 0, since a change drops it at once."""
    headers = tuple(HIT if header == MISS else header for header in response.headers)
    return Response(response.status, response.body, (*headers, (b"Age", b"0")), response.stream)


def meta_headers(index: int, known_leader: bool = True) -> Headers:
    """Return the headers that state how fresh a response is."""
    return (
        (b"X-Consul-Index", b"%d" % max(1, index)),
        *(FRESH if known_leader else LEADERLESS),
    )


NOBODY = meta_headers(0, known_leader=False)  # what goes with a refusal by the servers


def level_of(request: Request) -> str:
    """Return the consistency that a read asks for."""
    if not request.query:
        return "leader"
    return "stale" if allows_stale(request) else "consistent" if "consistent" in request else "leader"


def query_meta(request: Request, index: int = 0) -> dict[str, Any]:
    """Return the metadata of a read as fields of a body."""
    return {
        "Index": index, "LastContact": 0, "KnownLeader": True, "ConsistencyLevel": level_of(request), "NotModified": False,
        "Backend": 0, "ResultsFilteredByACLs": False,
    }  # fmt: skip


def read_response(request: Request, value: Any, *, cached: bool = False, filtered: bool = False) -> Response:
    """Return the response to a read, with its consistency."""
    headers = (*JSON, *meta_headers(0), (b"X-Consul-Effective-Consistency", level_of(request).encode()))
    if filtered:
        headers = (*headers, *FILTERED)
    if cached and "cached" in request:
        headers = (*headers, MISS)
    return Response(200, shown(request, value), headers)


def plain_response(request: Request, value: Any, status: int = 200) -> Response:
    """Return a response without an index."""
    return Response(status, shown(request, value), JSON)


def shown(request: Request, value: Any) -> bytes:
    """Return a value as JSON, indented where `?pretty` asks for it."""
    body = encode(value)
    return msgspec.json.format(body, indent=4) if "pretty" in request else body


def refused(text: str) -> HTTPError:
    """Return the error of a read that the servers refuse."""
    error = server_error(text)
    return HTTPError(error.status, error.text, NOBODY)


def missing(text: str) -> HTTPError:
    """Return the error of a read of something that does not exist."""
    error = not_found(text)
    return HTTPError(error.status, error.text, NOBODY)


class Renderer:
    """Completes responses by the settings in force: `http_config.response_headers`, the default ACL policy, `?pretty`."""

    extra_headers: Headers  # on every response, the connection's own included

    def __init__(self, config: Config) -> None:
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use other settings from now on."""
        policy = config.acl.default_policy.encode() if config.acl.enabled else b"allow"
        self.extra_headers = tuple(
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in config.http_config.response_headers.items()
            if name.lower() not in FRAMING
        )
        self._common: Headers = (
            (b"Vary", b"Accept-Encoding"),
            (b"X-Consul-Default-Acl-Policy", policy),
            *self.extra_headers,
        )
        self._added = {b"Content-Length", *(name for name, _ in self._common)}

    def outside(self, response: Response, request: Request) -> Response:
        """Complete a response that belongs to no route: it has none of the API's own headers."""
        return sized(Response(response.status, response.body, (*response.headers, *self.extra_headers)), request)

    def complete(self, response: Response, request: Request) -> Response:
        """Complete a response."""
        if request.route is not None and request.route.bare:
            return self._page(response, request)
        return sized(self.unsized(response, request), request)

    def relayed(self, response: Response, request: Request) -> Response:
        """Complete the response of another agent, whose handler has done the rest."""
        if request.route is not None and request.route.bare:
            return self._page(response, request)
        return sized(
            Response(response.status, response.body, (*response.headers, *self._common), response.stream), request
        )

    def _page(self, response: Response, request: Request) -> Response:
        """Complete a page: headers of `http_config.response_headers` replace its headers with the same name."""
        named = {name.lower() for name, _ in self.extra_headers}
        headers = tuple([header for header in response.headers if header[0].lower() not in named])
        return sized(
            Response(response.status, response.body, (*headers, *self.extra_headers), response.stream), request
        )

    def bare(self, response: Response) -> Response:
        """Return a complete response without what the agent that the client talks to adds."""
        headers = tuple([header for header in response.headers if header[0] not in self._added])
        return Response(response.status, response.body, headers, response.stream)

    def unsized(self, response: Response, request: Request) -> Response:
        """Complete a response but for its length and compression."""
        body = response.body
        if request.query and body and response.headers[:1] == JSON and "pretty" in request:
            body = msgspec.json.format(body, indent=4) + b"\n"
        return Response(response.status, body, (*response.headers, *self._common), response.stream)


def failure(error: Exception, route: Route, request: Request) -> Response:
    """Return the response to a request that failed; an unexpected exception is logged."""
    if isinstance(error, Forbidden):
        error = HTTPError(403, str(error))
    if isinstance(error, HTTPError):
        headers = (*TEXT, *error.headers)
        if route.meta_on_error and request.method == "GET" and error.status in (403, 500):
            headers = (*headers, *NOBODY)
        return Response(error.status, error.text.encode(), headers)
    if isinstance(error, Refused | EngineError):
        return Response(500, str(error).encode(), TEXT)
    log.error("%s %s failed", request.method, route.pattern, exc_info=error)
    return Response(500, INTERNAL_ERROR, TEXT)
