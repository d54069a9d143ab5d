"""Watches in configuration files: each asks this agent with blocking queries, and runs its handler when something changed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.watches.definition import Definition, WatchError, definition
from pyconsul.agent.watches.handlers import Handlers

#: Seconds before a failed query is tried again: this, times the square of the failures, up to the limit.
RETRY_S, RETRY_LIMIT_S = 5.0, 180.0

#: Seconds that handlers get to end when the agent stops.
STOP_S = 1.0

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Found:
    """A response of this agent's API."""

    status: int
    index: int
    body: bytes


#: Asks this agent: path, query, token. It may wait, when the query has an index.
Ask = Callable[[str, Mapping[str, str], str], Awaitable[Found]]


class Watcher:
    """Runs the watches of the settings in force."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._handlers = Handlers()
        self._loops: list[asyncio.Task[None]] = []
        self._again = asyncio.Event()  # set when failed queries are to be tried again at once
        # Handlers go on when their watch ends.
        self._running: set[asyncio.Task[None]] = set()

    @staticmethod
    def check(watches: Iterable[Mapping[str, Any]]) -> list[Definition]:
        """Return the watches of a configuration. Raises WatchError."""
        return [definition(params) for params in watches]

    def prepare(self, watches: Iterable[Mapping[str, Any]]) -> list[Definition]:
        """Return the watches of a new configuration. Raises WatchError; then no watch runs until the next `use`, as in Consul."""
        try:
            return self.check(watches)
        except WatchError as error:
            self.use(())
            log.error("watches stopped until the next successful reload: %s", error)
            raise

    def use(self, watches: Iterable[Definition]) -> None:
        """Run these instead of those before; each runs its handler for what there is now, as in Consul."""
        for loop in self._loops:
            loop.cancel()
        create = asyncio.get_running_loop().create_task
        self._loops = [create(self._follow(watch)) for watch in watches]

    def retry(self) -> None:
        """Try failed queries again at once: there may be a server now."""
        self._again.set()
        self._again = asyncio.Event()

    async def stop(self) -> None:
        """End all watches, and the handlers that run."""
        self.use(())
        self._handlers.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_S)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _follow(self, watch: Definition) -> None:
        plan, failures = watch.plan(), 0
        while True:
            try:
                found = await self._ask(plan.path, plan.question(), watch.token)
                news, data = plan.step(found.index, _data(found, plan.kind))
            except Exception as error:
                failures += 1
                delay = min(RETRY_S * failures**2, RETRY_LIMIT_S)
                log.error("Watch errored: type=%s error=%s retry=%gs", plan.kind, error, delay)
                plan.resume()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), delay)
                continue
            failures = 0
            if news:
                await self._handle(watch, found.index, data)

    async def _handle(self, watch: Definition, index: int, data: Any) -> None:
        """Run the handler to its end, even when the watch ends meanwhile."""
        task = asyncio.get_running_loop().create_task(self._handlers.run(watch, index, data))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(_report)
        await asyncio.wait([task])


def _data(found: Found, kind: str) -> Any:
    """Return the value of a response; None when the key does not exist. Raises ValueError."""
    if found.status == 404 and kind in ("key", "keyprefix"):
        return None
    if found.status != 200:
        raise ValueError(f"{found.status}: {found.body[:200].decode('utf-8', 'replace')}")
    return json.loads(found.body)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a watch handler failed", exc_info=task.exception())
