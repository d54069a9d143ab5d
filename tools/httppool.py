"""Many requests at once through httpx: one client for each few connections.

A connection pool of httpx looks at all its connections for every request, so a thousand blocking queries in one pool
would cost a million looks. Here no pool has more than `_SHARE` requests under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

_SHARE = 16


class HttpPool:
    """`make_client` makes a client; all of them must be alike."""

    def __init__(self, make_client: Callable[[], httpx.AsyncClient]) -> None:
        self._make_client = make_client
        self._clients: list[httpx.AsyncClient] = []
        self._under_way: list[int] = []

    async def get(self, url: str, **options: Any) -> httpx.Response:
        """One GET, as `httpx.AsyncClient.get`; the body has been read."""
        number = self._choose()
        self._under_way[number] += 1
        try:
            return await self._clients[number].get(url, **options)
        finally:
            self._under_way[number] -= 1

    def _choose(self) -> int:
        """The first one with room: those in front keep their connections busy, those behind may grow idle."""
        for number, count in enumerate(self._under_way):
            if count < _SHARE:
                return number
        self._clients.append(self._make_client())
        self._under_way.append(0)
        return len(self._clients) - 1

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()
