"""Reads that are answered at once and cannot be waited for, with the headers and the body's fields of Consul's reads."""

from __future__ import annotations

from typing import Any

import msgspec

from pyconsul.agent.httpapi.core.errors import HTTPError, not_found, server_error
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FILTERED, JSON, Answer, Headers, encode


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
