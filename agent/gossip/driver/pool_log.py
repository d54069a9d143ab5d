"""Writes the log of a pool: one line per event with its reason, repeated ones limited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pyconsul.agent.gossip.log_limit import BURST, INTERVAL_S, LogLimit

#: Characters of a line; the rest is cut off, since peers choose their names.
MAX_LINE = 1000

log = logging.getLogger("agent.gossip")


class PoolLog:
    """The log of one pool. Lines hold no keys and no payloads; whatever peers call themselves, a line stays one line."""

    def __init__(self, pool: str, clock: Callable[[], float]) -> None:
        """`pool` is named in each line."""
        self._pool = pool
        self._clock = clock
        self._limit = LogLimit()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The lines so far by category, those included that were suppressed; lines below the log's level are not counted."""
        return self._limit.counts

    def line(self, category: str, text: str, level: int = logging.WARNING, *, burst: int = BURST) -> None:
        """Log a line, unless its category had its share for now. `text`: "EVENT: key=value …"."""
        if not log.isEnabledFor(level):
            return
        if self._limit.admit(category, self._clock(), burst=burst):
            log.log(level, "%s", self._with_pool(text))
        else:
            self._report_later()

    def failure(self, text: str, error: BaseException) -> None:
        """Log an unexpected exception, with its traceback the first times."""
        if self._limit.admit("internal error", self._clock()):
            log.error("%s", self._with_pool(f"{text}: error={error!r}"), exc_info=error)

    def close(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _with_pool(self, text: str) -> str:
        text = text[:MAX_LINE]
        if not text.isprintable():
            text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
        event, colon, rest = text.partition(": ")
        return f"{event}: pool={self._pool} {rest}" if colon else f"{event}: pool={self._pool}"

    def _report_later(self) -> None:
        if self._timer is None:
            delay_s = max(0.1, self._limit.deadline() - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._report)

    def _report(self) -> None:
        self._timer = None
        for one in self._limit.expire(self._clock()):
            text = f"suppressed repeated log lines: category={one.category!r} count={one.count} in={INTERVAL_S:.0f}s"
            log.warning("%s", self._with_pool(text))
        if self._limit.deadline() < float("inf"):
            self._report_later()


def plain(name: str) -> str:
    """Return a name as it can stand in a log line: escaped if it holds blanks or characters that do not print."""
    return name if name.isprintable() and name and " " not in name else ascii(name)
