"""Renders responses: bodies, the headers of reads, compression, redirects, and the response to an unknown path."""

from __future__ import annotations

import gzip
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    FILTERED,
    JSON,
    TEXT,
    Answer,
    Headers,
    HTTPError,
    Result,
    encode,
    not_found,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Route

GZIP_FROM = 1400  # bytes; smaller answers fit a packet anyway
MISS, HIT = (b"X-Cache", b"MISS"), (b"X-Cache", b"HIT")  # of a `?cached` read
NO_WEIGHT = re.compile(rb"q=0(?:\.0*)?")


def sized(answer: Answer, request: Request) -> Answer:
    """Compress a long body for those who ask for it, and say how long it is."""
    body, headers = answer.body, answer.headers
    if answer.stream is not None:
        return answer
    if len(body) >= GZIP_FROM and _takes_gzip(request.headers.get(b"accept-encoding", b"")):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers = (*headers, (b"Content-Encoding", b"gzip"))
    return Answer(answer.status, body, (*headers, (b"Content-Length", b"%d" % len(body))))


def _takes_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding names gzip, and not with a weight of 0."""
    for coding in accepted.lower().split(b","):
        name, _, weight = coding.partition(b";")
        if name.strip() == b"gzip":
            return not NO_WEIGHT.fullmatch(weight.strip())
    return False


def redirect(request: Request, path: str, status: int = 307) -> Answer:
    escaped = quote(path.encode("latin-1"), safe="/$&+,:;=@")  # as Go: what was escaped is escaped once more
    location = escaped.encode() + (b"?" + request.query if request.query else b"")
    headers: Headers = ((b"Location", location),)
    if request.method not in ("GET", "HEAD"):
        return Answer(status, b"", headers)
    link = location.replace(b"&", b"&amp;").replace(b'"', b"&#34;")
    body = b'<a href="%s">%s</a>.\n\n' % (link, HTTPStatus(status).phrase.encode())
    return Answer(status, body, (*headers, (b"Content-Type", b"text/html; charset=utf-8")))


def unknown_path(path: str) -> Answer:
    if path.startswith("/v1/"):
        text = b"Invalid URL path: not a recognized HTTP API endpoint\n"
    else:
        text = b"Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n"
    return Answer(404, text, TEXT)


def encoded(result: Result, route: Route, request: Request) -> Answer:
    """Return the response to a read, with the headers of its route."""
    body: Any = result.value
    if not isinstance(body, bytes):
        body = encode(body)
    headers = [
        *result.headers,
        (b"X-Consul-Index", b"%d" % max(1, result.index)),
        (b"X-Consul-KnownLeader", b"true"),
        (b"X-Consul-LastContact", b"0"),
    ]
    if result.filtered:
        headers.extend(FILTERED)
    if route.consistency:
        level = b"stale" if "stale" in request else b"consistent" if "consistent" in request else b"leader"
        headers.append((b"X-Consul-Effective-Consistency", level))
    if route.cached and "cached" in request:
        headers.append(MISS)
    return Answer(result.status, body, tuple(headers))


def hit(answer: Answer) -> Answer:
    """The response to a `?cached` read as the next such reads get it: kept, and of age 0, since a change drops it at once."""
    headers = tuple(HIT if header == MISS else header for header in answer.headers)
    return Answer(answer.status, answer.body, (*headers, (b"Age", b"0")), answer.stream)


def meta_headers(index: int, known_leader: bool = True) -> Headers:
    """How fresh an answer is."""
    return (
        (b"X-Consul-Index", b"%d" % max(1, index)),
        (b"X-Consul-KnownLeader", b"true" if known_leader else b"false"),
        (b"X-Consul-LastContact", b"0"),
    )


NOBODY = meta_headers(0, known_leader=False)  # what goes with a refusal by the servers


def level_of(request: Request) -> str:
    """The consistency that a read asks for."""
    return "stale" if "stale" in request else "consistent" if "consistent" in request else "leader"


def query_meta(request: Request, index: int = 0) -> dict[str, Any]:
    """The same as fields of a body."""
    return {
        "Index": index, "LastContact": 0, "KnownLeader": True, "ConsistencyLevel": level_of(request), "NotModified": False,
        "Backend": 0, "ResultsFilteredByACLs": False,
    }  # fmt: skip


def read_answer(request: Request, value: Any, *, cached: bool = False, filtered: bool = False) -> Answer:
    """The answer to a read, with its consistency."""
    headers = (*JSON, *meta_headers(0), (b"X-Consul-Effective-Consistency", level_of(request).encode()))
    if filtered:
        headers = (*headers, *FILTERED)
    if cached and "cached" in request:
        headers = (*headers, (b"X-Cache", b"MISS"))
    return Answer(200, shown(request, value), headers)


def plain_answer(request: Request, value: Any, status: int = 200) -> Answer:
    """An answer without an index."""
    return Answer(status, shown(request, value), JSON)


def shown(request: Request, value: Any) -> bytes:
    """A value as JSON, indented where `?pretty` asks for it."""
    body = encode(value)
    return msgspec.json.format(body, indent=4) if "pretty" in request else body


def refused(text: str) -> HTTPError:
    """A read that the servers refuse."""
    error = server_error(text)
    return HTTPError(error.status, error.text, NOBODY)


def missing(text: str) -> HTTPError:
    """A read of what the servers do not have."""
    error = not_found(text)
    return HTTPError(error.status, error.text, NOBODY)
