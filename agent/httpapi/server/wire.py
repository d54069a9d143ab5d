"""Responses as bytes."""

from __future__ import annotations

from http import HTTPStatus

from pyconsul.agent.httpapi.server.contract import Headers, Response, Wire

TEXT: Headers = ((b"Content-Type", b"text/plain; charset=utf-8"),)
KEEP_ALIVE = b"Connection: keep-alive\r\n"
CLOSE = b"Connection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINE = {status: _status_line(status) for status in range(100, 600)}


def head(response: Response, date: bytes, more: bytes = b"") -> bytes:
    """Return everything before the body.  `date`: the line of the Date header; `more`: further lines."""
    lines = b"".join([b"%b: %b\r\n" % header for header in response.headers])
    return b"%b%b%b%b\r\n" % (STATUS_LINE[response.status], date, lines, more)


def wire(response: Response) -> Wire:
    """Return a response in full, but for the Date header; its headers must not hold a Content-Length."""
    length = (b"Content-Length", b"%d" % len(response.body))
    sized = Response(response.status, b"", (*response.headers, length))
    status = STATUS_LINE[response.status]
    return status, head(sized, b"")[len(status) :] + response.body


def text_response(status: int, text: str) -> Response:
    """Return a response of plain text."""
    body = text.encode("utf-8", "replace")
    return Response(status, body, (*TEXT, (b"Content-Length", b"%d" % len(body))))
