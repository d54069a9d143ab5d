"""Writes into the catalog, one at a time: a later write of a row never reaches the catalog before an earlier one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class SharedWrite:
    """Runs `write`, which takes all pending changes first.  Calls that arrive while a write runs share the next one."""

    def __init__(self, write: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """write: returns whether it has written everything."""
        self._write = write
        self._turn = asyncio.Lock()
        self._running: asyncio.Task[bool] | None = None
        self._next: asyncio.Task[bool] | None = None

    def begin(self) -> asyncio.Task[bool]:
        """Return the task of a write that takes every change made before this call.

        Changes that were taken earlier are written, or have failed, when it ends.  Its callers must not cancel it.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._run())
        return self._next

    async def _run(self) -> bool:
        async with self._turn:
            self._running, self._next = self._next, None
            return await self._write()

    def cancel(self) -> list[asyncio.Task[bool]]:
        """Cancel the running write and the next one; return both as far as they have begun."""
        tasks = [task for task in (self._running, self._next) if task is not None]
        self._next = None
        for task in tasks:
            task.cancel()
        return tasks
