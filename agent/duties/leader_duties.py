"""Starts the duties of the leader when this server becomes it, and stops them when it no longer is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from pyconsul.agent.duties.contract import Duty, Leadership

log = logging.getLogger("agent")


class AlwaysLeader:
    """The leadership of a single server."""

    leads = True

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Never call the listener."""


class LeaderDuties:
    """Starts duties in order and stops them in reverse.

    Starts and stops never overlap.  When the leadership ends while a duty starts, that start is canceled; any other change
    takes effect when the duties have started or stopped.
    """

    def __init__(self, leadership: Leadership, duties: Sequence[Duty]) -> None:
        self._leadership, self._duties = leadership, duties
        self._running = False
        self._closed = False
        self._lock = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Follow the leadership from now on; on return the duties of a present leader have started."""
        self._leadership.subscribe(self._on_change)
        await self._follow()

    async def stop(self) -> None:
        """Stop the duties for good."""
        self._closed = True
        await self._follow()

    def _wanted(self) -> bool:
        return self._leadership.leads and not self._closed

    def _on_change(self) -> None:
        task = asyncio.get_running_loop().create_task(self._follow())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        if self._starting is not None and not self._wanted():
            self._starting.cancel()
        async with self._lock:
            while self._running != self._wanted():
                self._running = not self._running
                await (self._start_all() if self._running else self._stop_all())

    async def _start_all(self) -> None:
        for duty in self._duties:
            if not self._wanted():
                return
            self._starting = asyncio.get_running_loop().create_task(duty.start())
            await asyncio.wait([self._starting])
            task, self._starting = self._starting, None
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a duty of the leader could not be started: %s", type(duty).__name__, exc_info=error)

    async def _stop_all(self) -> None:
        for duty in reversed(self._duties):
            await duty.stop()
