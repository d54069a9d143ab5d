"""Keeps the held parts of the catalog current: a stream of a server for each, opened again when it ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.dnsd.views import Part
from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.remote.dns.part_requests import PartRequests
from pyconsul.agent.remote.dns.part_table import HeldPart, PartTable
from pyconsul.agent.remote.requests import Rejected
from pyconsul.agent.state.contract import Unavailable

MAX_OPENING = 1024  # parts that wait for their first rows
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 5.0  # before a stream is opened again; doubled after each failure
REFUSED_S = 30.0  # before a server is asked again that does not know the token
ONCE_S = 1.0  # for which a name is known not to exist, before it is followed or dropped
QUIET_S = 5.0  # age of rows from which it is logged that they are not kept current
LONGEST_TIMER_S = 30 * 86400.0

log = logging.getLogger("agent.dns")


class PartStreams:
    """The streams of a table of parts.  max_age_s: returns the age up to which rows are used.

    publish: called with a part whose answers may differ.
    """

    def __init__(
        self,
        requests: PartRequests,
        parts: PartTable,
        max_age_s: Callable[[], float],
        publish: Callable[[HeldPart], None],
        rng: random.Random,
    ) -> None:
        self._requests, self._parts, self._max_age_s, self._publish = requests, parts, max_age_s, publish
        self._rng = rng
        self._opening = 0
        self._retry = asyncio.Event()
        self._is_outage_logged = False

    def open(self, part: Part) -> HeldPart:
        """Begin to hold a part.  Raises Unavailable when too many wait already."""
        if self._opening >= MAX_OPENING:
            raise Unavailable(f"{MAX_OPENING} names wait for their first rows")
        loop = asyncio.get_running_loop()
        held = HeldPart(part, loop.create_future(), loop.time())
        held.ready.add_done_callback(self._opened)
        self._opening += 1
        self._parts.add(held)
        self._start(held)
        return held

    def restart(self) -> None:
        """Open all streams again: the token is another one."""
        for held in self._parts:
            self._start(held)

    def retry(self) -> None:
        """Open streams that have ended again at once: there may be another server."""
        self._retry.set()
        self._retry = asyncio.Event()

    def is_too_old(self, held: HeldPart) -> bool:
        """Return whether the rows of a part must not be used any more."""
        if held.lost_at is None and not held.age_s:
            return False
        return held.age(asyncio.get_running_loop().time()) > self._max_age_s()

    def _opened(self, ready: asyncio.Future[None]) -> None:
        self._opening -= 1
        if not ready.cancelled():
            ready.exception()  # marks it as retrieved: the waiters may be gone

    def _start(self, held: HeldPart) -> None:
        if held.task is not None:
            held.task.cancel()
        held.task = asyncio.get_running_loop().create_task(self._follow(held))

    async def _follow(self, held: HeldPart) -> None:
        """Keep a part current until it is dropped; one whose first rows do not come is dropped."""
        backoff_s = MIN_BACKOFF_S
        brief = held.view is None
        while held.task is asyncio.current_task() and self._parts.find(held.part) is held:
            wait_s, reason = backoff_s, "the stream has ended"
            backoff_s = min(2 * backoff_s, MAX_BACKOFF_S)
            try:
                async with aclosing(self._requests.changes(held.part, brief=brief)) as changes:
                    async for change in changes:
                        self._apply(held, change)
                        backoff_s = MIN_BACKOFF_S
            except Rejected as error:  # the token is unknown: it shows nothing
                wait_s, reason = REFUSED_S, str(error)
                self._apply(held, PartChange(full=True))
            except Unavailable as error:
                reason = str(error)
            except Exception as error:
                log.exception("rows of a server cannot be used: %s %s", held.part.kind, held.part.name)
                reason = type(error).__name__
            if held.view is None:
                if not held.ready.done():
                    held.ready.set_exception(Unavailable(reason))
                self._parts.drop(held)
                return
            if brief and not len(held.view):
                await asyncio.sleep(ONCE_S)
                if held.questions <= 1:
                    self._parts.drop(held)
            else:
                self._lose(held, reason)
                await self._pause(wait_s * self._rng.uniform(0.5, 1.0))
            brief = False

    async def _pause(self, seconds: float) -> None:
        """Wait, unless `retry` is called."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry.wait()

    def _apply(self, held: HeldPart, change: PartChange) -> None:
        if self._parts.apply(held, change) or self.is_too_old(held):
            self._publish(held)
        if not held.ready.done():
            held.ready.set_result(None)
        if self._is_outage_logged and all(one.lost_at is None for one in self._parts):
            self._is_outage_logged = False
            log.info("DNS answers are current again: parts=%d", len(self._parts))
        self._parts.evict(held)

    def _lose(self, held: HeldPart, reason: str) -> None:
        """Note that a part is not kept current at present."""
        loop = asyncio.get_running_loop()
        if held.lost_at is None:
            held.lost_at = loop.time()
            limit_s = self._max_age_s()
            if limit_s < LONGEST_TIMER_S:
                loop.call_later(limit_s, self._expire, held)
        elif not self._is_outage_logged and held.age(loop.time()) > QUIET_S:
            self._is_outage_logged = True
            log.warning(
                "no server keeps the rows of DNS answers current: parts=%d max_age=%s error=%s",
                len(self._parts), _duration(self._max_age_s()), reason,
            )  # fmt: skip

    def _expire(self, held: HeldPart) -> None:
        """Forget the answers from rows that have become too old."""
        if self._parts.find(held.part) is held and self.is_too_old(held):
            self._publish(held)


def _duration(seconds: float) -> str:
    return format_go_duration_s(seconds) if seconds < float("inf") else "unlimited"
