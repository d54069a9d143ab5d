"""Share out the connections that the agent allows among the lookups.

Consul allows a client 200 connections (`limits.http_max_conns_per_client`), and a blocking query holds one. A lookup
without a connection waits for a change event: a blocking query over a whole table, with next to no body, that returns
after any change of the table.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from pyconsul.tools.consul.client import ConsulClient, ConsulError, RetryPolicy

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

#: Limit of an agent that does not report it.
_DEFAULT_LIMIT = 200
#: Share of the limit for other programs on this machine, and for our own queries that do not wait.
_RESERVED_SHARE = 0.4
#: Maximum number of lookups with a connection, whatever the agent allows: each needs memory.
_MAX_SLOTS = 1000
#: Number of lookups with a connection before the agent is asked for its limit.
_INITIAL_SLOTS = 100
#: Minimum interval of change events, since each makes all waiting lookups query; maximum time of one query.
_MIN_INTERVAL_S, _MAX_WAIT_S = 1.0, 60.0
_RETRY = RetryPolicy(attempts=0, backoff=1.0, max_backoff=30.0)

_CATALOG, _KV = "catalog", "kv"
_FAMILIES = {"key": _KV, "keys": _KV}
_NO_ROWS = {"filter": 'Node == ""'}
_TABLES: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    _CATALOG: (("/v1/catalog/services", {}), ("/v1/health/state/any", _NO_ROWS), ("/v1/catalog/nodes", _NO_ROWS)),
    _KV: (("/v1/kv/", {"keys": "", "separator": "/"}),),
}


class ConnectionBudget:
    """Grants connections to lookups, and change events to the others."""

    def __init__(self, client: ConsulClient, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._slots: int | None = None  # None: not known yet
        self._holders: set[Lookup] = set()
        self._reading_limit = asyncio.Lock()
        self._change_events: dict[tuple[str, str], asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def acquire(self, lookup: Lookup) -> bool:
        """Return whether this lookup may hold a connection; it keeps the connection until `release`."""
        if lookup in self._holders:
            return True
        if self._slots is None and len(self._holders) >= _INITIAL_SLOTS:
            async with self._reading_limit:
                if self._slots is None:
                    self._slots = await self._limit()
        if len(self._holders) >= (_INITIAL_SLOTS if self._slots is None else self._slots):
            return False
        self._holders.add(lookup)
        return True

    def release(self, lookup: Lookup) -> None:
        """Free the connection of a lookup."""
        self._holders.discard(lookup)

    async def _limit(self) -> int:
        try:
            body, _ = await self._client.request("/v1/agent/self", {})
            config = body["DebugConfig"]
            allowed = int({**config.get("Limits", {}), **config}["HTTPMaxConnsPerClient"])
        except (ConsulError, KeyError, TypeError, ValueError):
            allowed = _DEFAULT_LIMIT
        wanted = _MAX_SLOTS if allowed <= 0 else int(allowed * (1 - _RESERVED_SHARE))
        return max(min(wanted, _open_files(), _MAX_SLOTS), 1)

    def change_event(self, lookup: Lookup) -> asyncio.Event:
        """Return an event that is set as soon as the lookup's answer may have changed after this call."""
        family = _FAMILIES.get(lookup.kind, _CATALOG), dict(lookup.params).get("dc", "")
        if family not in self._change_events:
            self._change_events[family] = asyncio.Event()
            for path, params in _TABLES[family[0]]:
                query = params | ({"dc": family[1]} if family[1] else {})
                self._tasks.append(asyncio.create_task(self._listen(family, path, query)))
        return self._change_events[family]

    async def _listen(self, family: tuple[str, str], path: str, query: dict[str, str]) -> None:
        index, failures = 0, 0
        while True:
            try:
                _, new = await self._client.blocking(path, query, index, _MAX_WAIT_S)
            except ConsulError:
                failures += 1
                index = 0
                await asyncio.sleep(_RETRY.delay(failures, self._rng) or 0.0)
                continue
            failures = 0
            if new != index:
                self._wake(family)
                await asyncio.sleep(_MIN_INTERVAL_S)
            index = new

    def wake_all(self) -> None:
        """Let all waiting lookups query again."""
        for family in list(self._change_events):
            self._wake(family)

    def _wake(self, family: tuple[str, str]) -> None:
        before, self._change_events[family] = self._change_events[family], asyncio.Event()
        before.set()

    async def close(self) -> None:
        """Stop the queries."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _open_files() -> int:
    """Return how many connections this process may hold; some files are reserved."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - 100, 1) if soft != resource.RLIM_INFINITY else 1_000_000
