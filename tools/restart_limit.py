"""`-restart-limit`: a change must not restart every machine of a fleet at once.

    limit = restart_limit_of(settings, rng, "pyenvconsul")
    async with limit.place("app"):           # waits, for Consul too, until a place of the fleet's is free
        await child.reload()                 # what changed meanwhile is part of it

A runner that works in passes asks with a `Turn` instead, and goes on until it comes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pyconsul.tools.options.connection import connection_of
from pyconsul.tools.options.restart_limit import RESTART_HOLD, RESTART_LIMIT
from pyconsul.tools.options.settings import Settings

# The options are read by every call, -h too; what talks to Consul is loaded when it is needed.
if TYPE_CHECKING:
    from pyconsul.tools.consul.client import Connection
    from pyconsul.tools.consul.semaphore import Contender

log = logging.getLogger("restarts")

#: Seconds between two tries to get a place while Consul does not answer, or will not give one: from, to.
_RETRY_FROM, _RETRY_TO = 0.5, 10.0


@dataclass
class Place:
    """What is held. `hold`: seconds that it is kept afterwards; set it to 0 when nothing was restarted after all."""

    hold: float


class Limit(Protocol):
    """Who may restart now."""

    def place(self, why: str) -> AbstractAsyncContextManager[Place]:
        """Wait for a place, and hold it. `why`: what is to be restarted, for the log."""
        ...


class Unlimited:
    """Whoever wants to."""

    @asynccontextmanager
    async def place(self, why: str) -> AsyncIterator[Place]:
        """No wait."""
        yield Place(0.0)


class RestartLimit:
    """At most `slots` of all that give the same `key`; one at a time of this program.

    `hold`: seconds. `name`: of the program. Raises ConsulError for a connection that makes no sense.
    """

    def __init__(
        self, connection: Connection, key: str, slots: int, *, hold: float, rng: random.Random, name: str
    ) -> None:
        from pyconsul.tools.consul.client import ConsulClient

        self._client = ConsulClient(connection, rng=rng)
        self._key = key
        self._slots = slots
        self._hold = hold
        self._rng = rng
        self._name = f"{name} on {socket.gethostname()}"
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def place(self, why: str) -> AsyncIterator[Place]:
        """As `Limit.place`. An error or a cancellation gives the place back at once; that Consul does not answer is
        waited out. Should the session end meanwhile, the restart is finished, and that is logged."""
        from pyconsul.tools.consul.semaphore import Contender

        async with self._alone:
            contender = Contender(self._client, self._key, self._slots, self._name)
            entered = False
            try:
                await self._enter(contender, why)
                entered = True
                place = Place(self._hold)
                yield place
                await asyncio.sleep(place.hold)
            finally:
                held = await contender.leave()
                await self._client.close()
                if entered and not held:
                    log.warning("%s: the place of %s was lost before the restart was over", why, self._key)

    async def _enter(self, contender: Contender, why: str) -> None:
        from pyconsul.tools.consul.client import ConsulError, RetryPolicy
        from pyconsul.tools.consul.semaphore import ConflictError, SessionLostError

        retry = RetryPolicy(attempts=0, backoff=_RETRY_FROM, max_backoff=_RETRY_TO)
        log.info("%s: requesting one of %d restart slots at %s", why, self._slots, self._key)
        failures, told = 0, ""
        while True:
            try:
                if not contender.session:
                    await contender.open()
                await contender.enter()
                break
            except SessionLostError:
                failures += 1
            except ConsulError as error:
                failures += 1
                if not told:
                    log.warning("%s waits for a restart slot, with its old settings: %s", why, error)
                told = told or str(error)
            except ConflictError as error:
                failures += 1
                if told != str(error):
                    log.error("%s waits for a restart slot, with its old settings: %s", why, error)
                told = str(error)
            await asyncio.sleep(retry.delay(failures, self._rng) or 0)
        log.log(logging.WARNING if told else logging.INFO, "%s: holds a restart slot at %s", why, self._key)


class Turn:
    """A place for a runner that works in passes: it asks in one pass, and acts in a later one.

    `limit`: None when there is none; then it is always our turn. `news` is called when it has become our turn, and
    when a hold after it is over.
    """

    def __init__(self, limit: Limit | None, news: Callable[[], None]) -> None:
        self._limit = limit
        self._news = news
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._ours = False
        self._restarted = False

    def ask(self, why: str) -> bool:
        """Whether to act now; if not, `news` will tell when to ask again."""
        if self._limit is None:
            return True
        if self._task is None:
            self._over.clear()
            self._task = asyncio.create_task(self._have(self._limit, why))
            self._task.add_done_callback(self._gone)
        return self._ours

    async def _have(self, limit: Limit, why: str) -> None:
        async with limit.place(why) as place:
            self._ours = True
            self._news()
            await self._over.wait()
            if not self._restarted:
                place.hold = 0.0

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._ours, self._task = False, None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the place to restart is lost: %s", error)
        self._news()

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._limit is not None

    @property
    def asked(self) -> bool:
        """Whether it was asked for, and is not ours yet."""
        return self._task is not None and not self._ours

    def done(self, *, restarted: bool) -> None:
        """What the place was asked for is done, or no longer needed; nothing happens when none was asked for."""
        if self._ours:
            self._restarted = restarted
            self._over.set()
            self._ours = False
        elif self._task is not None and not self._over.is_set():
            self._task.cancel()

    async def close(self) -> None:
        """Give everything back, without a hold."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def restart_limit_of(settings: Settings, rng: random.Random, name: str) -> RestartLimit | None:
    """The limit that the settings ask for; None without one. Raises ConsulError for a bad connection."""
    limit = settings[RESTART_LIMIT]
    if limit is None:
        return None
    key, slots = limit
    return RestartLimit(connection_of(settings), key, slots, hold=settings[RESTART_HOLD], rng=rng, name=name)
