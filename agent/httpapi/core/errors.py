"""How a handler refuses a request: a status and the text that clients parse."""

from __future__ import annotations


class HTTPError(Exception):
    """Ends a request with a plain-text answer."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def bad_request(text: str) -> HTTPError:
    return HTTPError(400, text)


def not_found(text: str) -> HTTPError:
    return HTTPError(404, text)


def server_error(text: str) -> HTTPError:
    """Consul answers some bad input with 500 and a text that its clients know."""
    return HTTPError(500, text)
