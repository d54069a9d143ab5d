"""Responses as they go out: compressed where a client takes that, redirects, and what answers unknown paths."""

from __future__ import annotations

import gzip
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FILTERED, TEXT, Answer, Headers, Result, encode
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
