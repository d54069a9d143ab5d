"""Tells again and again, at growing intervals, for how long Consul has not answered."""

from __future__ import annotations

import asyncio

from pyconsul.tools.template.feed.outage import Outage


class Reminder:
    """`outage` says when, and what."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """An outage has begun."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_at(self._outage.tell_at, self._tell)

    def stop(self) -> None:
        """Tell no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        if self._outage.unreachable:
            self._outage.tell(asyncio.get_running_loop().time())
            self.start()
