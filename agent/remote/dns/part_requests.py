"""Asks servers for parts of the catalog: once, or with all further changes; and for the results of prepared queries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec

from pyconsul.agent.dnsd.views import Part, QueryResult
from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.remote.requests import Rejected, ask, path
from pyconsul.agent.rpc.contract import AskServer, RPCError
from pyconsul.agent.state.contract import Unavailable

FORBIDDEN, NOT_FOUND = 403, 404
MAX_LINE_BYTES = 256 << 20

_change = msgspec.json.Decoder(PartChange)
_result = msgspec.json.Decoder(QueryResult)


class PartRequests:
    """Requests with the token of DNS."""

    def __init__(self, servers: AskServer, token: Callable[[], str], allow_stale: Callable[[], bool]) -> None:
        self._servers, self._token, self._allow_stale = servers, token, allow_stale

    async def changes(self, part: Part, *, brief: bool = False) -> AsyncGenerator[PartChange]:
        """Yield the rows of a part, then its changes; with `brief` nothing more if there are no rows.

        Raises Unavailable; Rejected for an unknown token.
        """
        response = await self._get(path("part", part.kind, part.name), ["brief"] if brief else [])
        if response.stream is None:
            yield _change.decode(response.body)
            return
        stream: Any = response.stream
        try:
            async for line in _lines(stream):
                yield _change.decode(line)
        except RPCError as error:
            raise Unavailable(str(error)) from None
        finally:
            with suppress(RPCError):
                await stream.aclose()

    async def once(self, part: Part) -> PartChange:
        """Return the present rows of a part, none for an unknown token.  Raises Unavailable."""
        try:
            response = await self._get(path("part", part.kind, part.name), ["once"])
        except Rejected:
            return PartChange(full=True)
        return _change.decode(response.body)

    async def query(self, part: Part) -> QueryResult | None:
        """Return the result of a prepared query; None when there is none.  Raises Unavailable."""
        try:
            response = await self._get(path("dns-query", part.name), ["source=" + quote(part.source, safe="")])
        except Rejected:
            return None
        result = _result.decode(response.body)
        return QueryResult(result.service, result.datacenter, result.nodes, result.ttl, (), result.ordered)

    async def _get(self, target: str, parameters: list[str]) -> Any:
        """Raises Unavailable; Rejected for an unknown token or name."""
        if self._allow_stale():
            parameters = [*parameters, "stale"]
        query = "?" + "&".join(parameters) if parameters else ""
        try:
            return await ask(self._servers, "read", "GET", target + query, self._token())
        except Rejected as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                raise
            raise Unavailable(str(error)) from None


async def _lines(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a stream.  Raises Unavailable for one that is too long."""
    rest = bytearray()
    async for data in stream:
        rest += data
        if b"\n" not in data:
            if len(rest) > MAX_LINE_BYTES:
                raise Unavailable("the server sends too much")
            continue
        *lines, last = bytes(rest).split(b"\n")
        for line in lines:
            yield line
        rest = bytearray(last)
