"""Responses as they go out: compressed where a client takes that, redirects, and what answers unknown paths."""

from __future__ import annotations

import gzip
import re
from http import HTTPStatus
from urllib.parse import quote

from pyconsul.agent.httpapi.answer import TEXT, Answer, Headers
from pyconsul.agent.httpapi.request import Request

GZIP_FROM = 1400  # bytes; smaller answers fit a packet anyway
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
