"""Waits for a write into the catalog, but not for long: what is registered with an agent needs no server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

WAIT_S = 1.0

log = logging.getLogger("agent.sync")


class ShortWait:
    """Begins writes and waits for them; while one takes longer than WAIT_S, no other is begun or waited for.

    begin: begins a write that returns whether it has written everything.
    rest: called after a long write, since there may be more to write.
    """

    def __init__(self, begin: Callable[[], asyncio.Task[bool]], rest: Callable[[], None]) -> None:
        self._begin, self._rest = begin, rest
        self._long: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Write, and wait for it.  Raises what the write raises in that time."""
        if self._long is not None:
            return
        writing = self._begin()
        await asyncio.wait((writing,), timeout=WAIT_S)
        if writing.done():
            if not writing.cancelled():
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
