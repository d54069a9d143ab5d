"""Unix time that no step of the wall clock changes while the agent runs.

Lock delays and the expiry of tokens are compared with it, so that setting the system's clock neither shortens nor prolongs them.
At the start of the agent it is the wall clock's time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

PERIOD_S = 30.0  # between two looks at the wall clock
TOLERANCE_S = 5.0  # difference that is reported

log = logging.getLogger("agent")


def elapsed() -> float:
    """Seconds since some moment, sleep of the machine included where the system counts it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteadyClock:
    """Called, it returns Unix seconds."""

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = elapsed) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._offset = wall() - elapsed()
        self._reported = 0.0

    def __call__(self) -> float:
        return self._offset + self._elapsed()

    def report_step(self) -> None:
        """Log once when the wall clock was set."""
        step = self._wall() - self()
        if abs(step - self._reported) > TOLERANCE_S:
            self._reported = step
            log.warning(
                "the system clock was set: it differs from the agent's by %+.0f s; lock delays and token expiry "
                "follow elapsed time. Restart the agent if the clock was wrong before",
                step,
            )

    def start(self, stack: AsyncExitStack) -> None:
        """Look at the wall clock now and then, until the stack ends it."""
        stack.callback(asyncio.get_running_loop().create_task(self._watch()).cancel)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            self.report_step()
