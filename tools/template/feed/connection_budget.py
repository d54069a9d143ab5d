"""Lookups beyond the connections that the agent allows: they share a few queries that tell when to look again.

Consul allows a client 200 connections (`limits.http_max_conns_per_client`), and a blocking query holds one. What gets
none of its own waits for a pulse: a query over a whole table that wakes up at any change of it, with next to no body.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

#: Connections of an agent that does not tell how many it allows.
_USUAL_LIMIT = 200
#: What is left to others on this machine, and to our own questions that do not wait.
_RESERVE = 0.4
#: Lookups that wait on connections of their own at most, whatever the agent allows: each has its memory.
_MOST = 1000
#: Lookups that may wait on connections of their own before the agent is asked for its limit.
_UNASKED = 100
#: Seconds between two pulses at least, since a pulse makes the whole crowd ask; and at most, for safety's sake.
_REST, _LONGEST = 1.0, 60.0
_RETRY = RetryPolicy(attempts=0, backoff=1.0, max_backoff=30.0)

_CATALOG, _KV = "catalog", "kv"
_FAMILIES = {"key": _KV, "keys": _KV}
_NOTHING = {"filter": 'Node == ""'}
_TABLES: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    _CATALOG: (("/v1/catalog/services", {}), ("/v1/health/state/any", _NOTHING), ("/v1/catalog/nodes", _NOTHING)),
    _KV: (("/v1/kv/", {"keys": "", "separator": "/"}),),
}


class ConnectionBudget:
    """Who may hold a connection, and pulses for those who may not. `retry`: when a failed query is tried again."""

    def __init__(self, client: ConsulClient, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._seats: int | None = None  # None: not yet known
        self._seated: set[Lookup] = set()
        self._asking = asyncio.Lock()
        self._pulses: dict[tuple[str, str], asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def seat(self, lookup: Lookup) -> bool:
        """Return whether this lookup may hold a connection; it keeps the seat until `leave`."""
        if lookup in self._seated:
            return True
        if self._seats is None and len(self._seated) >= _UNASKED:
            async with self._asking:
                if self._seats is None:
                    self._seats = await self._limit()
        if len(self._seated) >= (_UNASKED if self._seats is None else self._seats):
            return False
        self._seated.add(lookup)
        return True

    def leave(self, lookup: Lookup) -> None:
        """Give the seat to others."""
        self._seated.discard(lookup)

    async def _limit(self) -> int:
        try:
            body, _ = await self._client.request("/v1/agent/self", {})
            config = body["DebugConfig"]
            allowed = int({**config.get("Limits", {}), **config}["HTTPMaxConnsPerClient"])
        except (ConsulError, KeyError, TypeError, ValueError):
            allowed = _USUAL_LIMIT
        wanted = _MOST if allowed <= 0 else int(allowed * (1 - _RESERVE))
        return max(min(wanted, _open_files(), _MOST), 1)

    def pulse(self, lookup: Lookup) -> asyncio.Event:
        """Set as soon as the lookup's answer may have changed after this call."""
        family = _FAMILIES.get(lookup.kind, _CATALOG), dict(lookup.params).get("dc", "")
        if family not in self._pulses:
            self._pulses[family] = asyncio.Event()
            for path, params in _TABLES[family[0]]:
                query = params | ({"dc": family[1]} if family[1] else {})
                self._tasks.append(asyncio.create_task(self._listen(family, path, query)))
        return self._pulses[family]

    async def _listen(self, family: tuple[str, str], path: str, query: dict[str, str]) -> None:
        index, failures = 0, 0
        while True:
            try:
                _, new = await self._client.blocking(path, query, index, _LONGEST)
            except ConsulError:
                failures += 1
                index = 0
                await asyncio.sleep(_RETRY.delay(failures, self._rng) or 0.0)
                continue
            failures = 0
            if new != index:
                self._beat(family)
                await asyncio.sleep(_REST)
            index = new

    def beat(self) -> None:
        """Have everybody look again."""
        for family in list(self._pulses):
            self._beat(family)

    def _beat(self, family: tuple[str, str]) -> None:
        before, self._pulses[family] = self._pulses[family], asyncio.Event()
        before.set()

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _open_files() -> int:
    """Return how many connections this process may hold; some files are reserved."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - 100, 1) if soft != resource.RLIM_INFINITY else 1_000_000
