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


def header_lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def head(response: Response, date: bytes, more: bytes = b"") -> bytes:
    """Everything before the body.  `date`: the line of the Date header; `more`: further lines."""
    return b"%b%b%b%b\r\n" % (STATUS_LINE[response.status], date, header_lines(response.headers), more)


def wire(response: Response) -> Wire:
    """A response in full, but for the Date header; its headers must not hold a Content-Length."""
    length = len(response.body)
    return STATUS_LINE[response.status], b"%bContent-Length: %d\r\n\r\n%b" % (
        header_lines(response.headers),
        length,
        response.body,
    )


def text_response(status: int, text: str) -> Response:
    """A response of plain text."""
    body = text.encode("utf-8", "replace")
    return Response(status, body, (*TEXT, (b"Content-Length", b"%d" % len(body))))
