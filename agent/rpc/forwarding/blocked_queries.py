"""Queries of a stream of watches that the agent of the client blocks: it answers them itself, and a server the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from pyconsul.agent.httpapi.core.admission import BLOCKED
from pyconsul.agent.httpapi.handlers.streams import ALIVE, LINES, Questions, refusal
from pyconsul.agent.httpapi.server.contract import Response


def without_blocked(body: bytes, prefixes: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return the lines for queries below blocked prefixes, and the body with the others; empty if there are none.

    A malformed body stays as it is: the server refuses it.
    """
    try:
        queries = msgspec.json.decode(body, type=Questions).queries
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b"", body
    lines = b"".join(refusal(query.id, 403, BLOCKED) for query in queries if query.path.startswith(prefixes))
    if not lines:
        return b"", body
    left = [query for query in queries if not query.path.startswith(prefixes)]
    return lines, msgspec.json.encode(Questions(left)) if left else b""


def all_refused(lines: bytes) -> Response:
    """Return the stream of a request whose queries are all blocked."""
    return Response(200, headers=LINES, stream=_parts(lines + ALIVE, None))


def preceded(lines: bytes, response: Response) -> Response:
    """Return the stream of a server after lines of this agent; another response as it is."""
    if response.stream is None:
        return response
    return Response(response.status, response.body, response.headers, _parts(lines, response.stream))


async def _parts(first: bytes, rest: AsyncIterator[bytes] | None) -> AsyncIterator[bytes]:
    try:
        yield first
        if rest is not None:
            async for part in rest:
                yield part
    finally:
        if (close := getattr(rest, "aclose", None)) is not None:
            await close()
