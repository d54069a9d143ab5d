"""Blocking queries of single lookups. First queries have priority; queries that wait for changes wait long if there are many."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any

from pyconsul.tools.consul.client import ConsulClient

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

#: Maximum number of first queries at the same time; more would only wait in the agent.
_MAX_FIRST_QUERIES = 16
#: Maximum delay of queries for changes while first queries have no answer.
_MAX_FIRST_WAIT_S = 2.0
#: Time that one query asks Consul to wait: minimum, maximum (Consul's limit), and for each lookup, so that thousands of
#: idle lookups cost little.
_MIN_WAIT_S, _MAX_WAIT_S, _WAIT_PER_LOOKUP_S = 60.0, 600.0, 0.6


class LookupQueries:
    """The queries of all lookups that no stream follows."""

    def __init__(self, client: ConsulClient, wait: float | None, queried: Sized) -> None:
        """`wait`: seconds that one query asks Consul to wait for a change; None: by the number of lookups in `queried`."""
        self._client = client
        self._wait = wait
        self._queried = queried
        self._gate = asyncio.Semaphore(_MAX_FIRST_QUERIES)
        self._unanswered = 0  # first queries that are under way or wait for the gate
        self._all_answered = asyncio.Event()
        #: Lookups that wait for a change event, without a query.
        self.awaiting_event: set[Lookup] = set()

    async def query(self, lookup: Lookup, index: int, on_filtered: Callable[[], None]) -> tuple[Any, int]:
        """Return an answer and its index: at once for index 0, else after a change or the wait. Raises ConsulError."""
        if index == 0:
            self._unanswered += 1
            try:
                async with self._gate:
                    return await self._client.blocking(lookup.path, lookup.query, 0, on_filtered=on_filtered)
            finally:
                self._unanswered -= 1
                if self._unanswered == 0:
                    self._all_answered.set()
                    self._all_answered = asyncio.Event()
        if self._unanswered:
            # First answers have priority: files wait for them, and queries that wait for changes are costly to start.
            await wait_at_most(self._all_answered, _MAX_FIRST_WAIT_S)
        return await self._client.blocking(
            lookup.path, lookup.query, index, self._query_wait_s(), on_filtered=on_filtered
        )

    async def wait_for_event(self, lookup: Lookup, event: asyncio.Event) -> None:
        """Wait for a change event, for the time that a blocking query would take."""
        self.awaiting_event.add(lookup)
        try:
            await wait_at_most(event, self._query_wait_s())
        finally:
            self.awaiting_event.discard(lookup)

    def _query_wait_s(self) -> float:
        if self._wait is not None:
            return self._wait
        return min(max(_MIN_WAIT_S, _WAIT_PER_LOOKUP_S * len(self._queried)), _MAX_WAIT_S)


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most this time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
