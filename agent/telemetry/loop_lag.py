"""Lag of the event loop: the delay of everything that the agent answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

INTERVAL_S = 0.25  # between two measurements
KEPT = 40  # measurements that `max_s` looks at: ten seconds


class LoopLag:
    """Measures with one timer.  `clock`: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due = 0.0
        self._lags: deque[float] = deque([0.0], maxlen=KEPT)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def last_s(self) -> float:
        """Return the lag at the latest measurement."""
        return self._lags[-1]

    @property
    def max_s(self) -> float:
        """Return the largest of the last ten seconds."""
        return max(self._lags)

    def start(self) -> None:
        """Measure from now on, in the running loop."""
        self._schedule(asyncio.get_running_loop())

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._clock() + INTERVAL_S
        self._timer = loop.call_later(INTERVAL_S, self._measure, loop)

    def _measure(self, loop: asyncio.AbstractEventLoop) -> None:
        self._lags.append(max(0.0, self._clock() - self._due))
        self._schedule(loop)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
