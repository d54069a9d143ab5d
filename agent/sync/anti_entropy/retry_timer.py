"""The time of the next attempt to write into the catalog, after one has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MIN_BACKOFF_S, MAX_BACKOFF_S = 0.5, 15.0  # before a retry; doubled after each failure


class RetryTimer:
    """Calls `attempt` once, later.

    is_waiting: an attempt has failed, and its retry is not due.  is_begun: `attempt` is about to be called in any case.
    """

    def __init__(self, attempt: Callable[[], None]) -> None:
        self._attempt = attempt
        self._timer: asyncio.TimerHandle | None = None
        self._backoff_s = MIN_BACKOFF_S
        self.is_waiting = False

    @property
    def is_begun(self) -> bool:
        return self._timer is not None

    def back_off(self) -> float:
        """Call `attempt` after the backoff, which it returns, and double the backoff for the next time."""
        backoff_s = self._backoff_s
        self._backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
        self.begin_in(backoff_s)
        self.is_waiting = True
        return backoff_s

    def begin_in(self, delay_s: float) -> None:
        """Call `attempt` after a delay instead."""
        self.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self.now)

    def now(self) -> None:
        """Call `attempt` at once."""
        self.cancel()
        self._attempt()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.is_waiting = None, False

    def reset(self) -> None:
        """Begin again with the shortest backoff."""
        self._backoff_s = MIN_BACKOFF_S
