"""Return values of handlers: a finished response, or a `Query` whose `Result` a client may wait for; and the errors they raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.httpapi.server.contract import Headers as Headers
from pyconsul.agent.httpapi.server.contract import Response as Response
from pyconsul.agent.reads.contract import Result as Result


class HTTPError(Exception):
    """Ends a request with a plain-text response."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def bad_request(text: str) -> HTTPError:
    return HTTPError(400, text)


def not_found(text: str) -> HTTPError:
    return HTTPError(404, text)


def server_error(text: str) -> HTTPError:
    """Return a 500: Consul responds so to some bad input, with texts that its clients know."""
    return HTTPError(500, text)


JSON: Headers = ((b"Content-Type", b"application/json"),)
TEXT: Headers = ((b"Content-Type", b"text/plain; charset=utf-8"),)

encode = msgspec.json.Encoder().encode


FILTERED: Headers = ((b"X-Consul-Results-Filtered-By-ACLs", b"true"),)


def json_response(value: Any, status: int = 200, *, filtered: bool = False) -> Response:
    """Return a response whose body is the value's JSON; `filtered`: the caller's token hides a part of it."""
    return Response(status, encode(value), (*JSON, *FILTERED) if filtered else JSON)


TRUE = Response(200, b"true", JSON)
FALSE = Response(200, b"false", JSON)
EMPTY = Response(200, b"", JSON)  # sent by Consul's agent endpoints without a result


@dataclass(frozen=True, slots=True)
class Seen:
    """A response, its index, and the topics that may change it; without topics and prefixes it never changes.

    shared: it holds for everybody with the same question and token until its topics change.
    """

    response: Response
    index: int = 0
    topics: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    shared: bool = False

    @property
    def waits(self) -> bool:
        """Return whether the response can change."""
        return bool(self.topics or self.prefixes)


class Query:
    """A read that can be waited for: run once, or until its index passes the caller's.

    headers: of the response to a read that found something.  steps: the same read, in steps, for a result that is large.
    """

    __slots__ = ("headers", "read", "steps")

    def __init__(
        self, read: Callable[[], Result], headers: Headers = JSON, steps: Callable[[], Steps[Result]] | None = None
    ) -> None:
        self.read, self.headers, self.steps = read, headers, steps
