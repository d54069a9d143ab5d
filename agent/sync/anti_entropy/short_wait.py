"""Waits for a write into the catalog, but not for long: what is registered with an agent needs no server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

WAIT_S = 1.0

log = logging.getLogger("agent.sync")


class ShortWait:
    """Begins writes and waits for them; while one takes longer than WAIT_S, no other is begun or waited for.

    write: returns whether it has written everything.  rest: called after a long write, since there may be more to write.
    """

    def __init__(self, write: Callable[[], Coroutine[Any, Any, bool]], rest: Callable[[], None]) -> None:
        self._write, self._rest = write, rest
        self._long: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Write, and wait for it.  Raises what `write` raises in that time."""
        if self._long is not None:
            return
        writing = asyncio.get_running_loop().create_task(self._write())
        await asyncio.wait((writing,), timeout=WAIT_S)
        if writing.done():
            writing.result()
        elif self._long is None:
            self._long = writing
            writing.add_done_callback(self._finish)

    def _finish(self, writing: asyncio.Task[bool]) -> None:
        self._long = None
        if writing.cancelled():
            return
        if (error := writing.exception()) is not None:
            log.error("anti-entropy failed", exc_info=error)
        elif writing.result():
            self._rest()

    async def stop(self) -> None:
        """Cancel a long write."""
        if self._long is not None:
            self._long.cancel()
            await asyncio.gather(self._long, return_exceptions=True)
