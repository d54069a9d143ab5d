"""Log messages that the same cause may produce any number of times: each is written at most once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

REPEAT_S = 60.0
MAX_KEPT = 1000

log = logging.getLogger("agent.rpc")


class Notices:
    """Writes messages.  now: a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._written: dict[str, float] = {}

    def warn(self, text: str, cause: str = "") -> None:
        """Write a message, unless one of the same cause (if none is given: the same text) was written within a minute."""
        now, cause = self._now(), cause or text
        if now - self._written.get(cause, -REPEAT_S) < REPEAT_S:
            return
        if len(self._written) >= MAX_KEPT:
            self._written.clear()
        self._written[cause] = now
        log.warning("%s", text)
