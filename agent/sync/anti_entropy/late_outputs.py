"""Timers that delay the publication of check outputs, one for each check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LateOutputs:
    """Calls `publish` with the ID of a check once its delay is over."""

    def __init__(self, publish: Callable[[str], None]) -> None:
        self._publish = publish
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def delay(self, check_id: str, delay_s: float) -> None:
        """Start the timer of a check, unless it is running."""
        if check_id not in self._timers:
            self._timers[check_id] = asyncio.get_running_loop().call_later(delay_s, self._on_time, check_id)

    def cancel(self, check_id: str) -> None:
        """Stop the timer of a check, if it is running."""
        timer = self._timers.pop(check_id, None)
        if timer is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Stop all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _on_time(self, check_id: str) -> None:
        del self._timers[check_id]
        self._publish(check_id)
