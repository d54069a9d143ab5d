"""`-restart-limit`: limits how many machines of a fleet restart at the same time.

    limit = restart_limit_of(settings, rng, "pyenvconsul")
    async with limit.slot("app"):            # waits until a slot is free, also while Consul does not respond
        await child.reload()                 # includes the changes that came during the wait

A runner that works in passes requests a slot through a `RestartGate`, and goes on with other work until it has it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from pyconsul.tools.options.connection import connection_of
from pyconsul.tools.options.restart_limit import RESTART_HOLD, RESTART_LIMIT
from pyconsul.tools.options.settings import Settings

# Every call reads the options, -h too; the modules that talk to Consul are loaded when they are needed.
if TYPE_CHECKING:
    from pyconsul.tools.consul.client import Connection
    from pyconsul.tools.consul.semaphore import Contender

log = logging.getLogger("restarts")

#: Backoff between attempts to get a slot: minimum and maximum.
_MIN_BACKOFF_S, _MAX_BACKOFF_S = 0.5, 10.0


class RestartSlot:
    """A slot that is held. `hold_s`: seconds that it is kept after the restart."""

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s

    def skip_hold(self) -> None:
        """Free the slot right after the block: nothing was restarted."""
        self.hold_s = 0.0


class Limit(Protocol):
    """Decides who may restart now."""

    def slot(self, name: str) -> AbstractAsyncContextManager[RestartSlot]:
        """Wait for a slot, and hold it during the block. `name`: the program that will be restarted, for the log."""
        ...


class Unlimited:
    """Lets everybody restart at once."""

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[RestartSlot]:
        """Yield a slot without a wait."""
        yield RestartSlot(0.0)


class RestartLimit:
    """At most `slots` restarts at a time of all programs with the same `key`; one at a time of this program.

    `hold_s`: see `RestartSlot`. `name`: of the program. Raises ConsulError for an invalid connection.
    """

    def __init__(
        self, connection: Connection, key: str, slots: int, *, hold_s: float, rng: random.Random, name: str
    ) -> None:
        from pyconsul.tools.consul.client import ConsulClient

        self._client = ConsulClient(connection, rng=rng)
        self._key = key
        self._slots = slots
        self._hold_s = hold_s
        self._rng = rng
        self._name = f"{name} on {socket.gethostname()}"
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[RestartSlot]:
        """Wait for a slot as `Limit.slot` does, also while Consul does not respond.

        An error or a cancellation frees the slot at once. When the session ends during the block, the block goes on and
        the loss is logged.
        """
        from pyconsul.tools.consul.semaphore import Contender

        async with self._one_at_a_time:
            contender = Contender(self._client, self._key, self._slots, self._name)
            entered = False
            try:
                await self._enter(contender, name)
                entered = True
                slot = RestartSlot(self._hold_s)
                yield slot
                await asyncio.sleep(slot.hold_s)
            finally:
                held = await contender.leave()
                await self._client.close()
                if entered and not held:
                    log.warning("%s: the restart slot at %s was lost before the restart was over", name, self._key)

    async def _enter(self, contender: Contender, name: str) -> None:
        from pyconsul.tools.consul.client import ConsulError, RetryPolicy
        from pyconsul.tools.consul.semaphore import ConflictError, SessionLostError

        retry = RetryPolicy(attempts=0, backoff=_MIN_BACKOFF_S, max_backoff=_MAX_BACKOFF_S)
        log.info("%s: requesting one of %d restart slots at %s", name, self._slots, self._key)
        failures, logged = 0, ""
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
                if not logged:
                    log.warning("%s waits for a restart slot, with its old settings: %s", name, error)
                logged = logged or str(error)
            except ConflictError as error:
                failures += 1
                if logged != str(error):
                    log.error("%s waits for a restart slot, with its old settings: %s", name, error)
                logged = str(error)
            await asyncio.sleep(retry.delay(failures, self._rng) or 0)
        log.log(logging.WARNING if logged else logging.INFO, "%s: holds a restart slot at %s", name, self._key)


class RestartGate:
    """A restart slot for a runner that works in passes: it requests the slot in one pass, and restarts in a later one.

    `limit`: None for no limit; then the gate is always open. `notify` is called when the gate opens, and when a hold after
    a restart is over.
    """

    def __init__(self, limit: Limit | None, notify: Callable[[], None]) -> None:
        self._limit = limit
        self._notify = notify
        self._task: asyncio.Task[None] | None = None
        self._released = asyncio.Event()
        self._holds_slot = False
        self._restarted = False

    def request(self, name: str) -> bool:
        """Return whether the restart may happen now; otherwise `notify` tells when to call this again."""
        if self._limit is None:
            return True
        if self._task is None:
            self._released.clear()
            self._task = asyncio.create_task(self._acquire(self._limit, name))
            self._task.add_done_callback(self._after_slot)
        return self._holds_slot

    async def _acquire(self, limit: Limit, name: str) -> None:
        async with limit.slot(name) as slot:
            self._holds_slot = True
            self._notify()
            await self._released.wait()
            if not self._restarted:
                slot.skip_hold()

    def _after_slot(self, task: asyncio.Task[None]) -> None:
        self._holds_slot, self._task = False, None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the restart slot is lost: %s", error)
        self._notify()

    @property
    def is_limited(self) -> bool:
        """Return whether there is a limit."""
        return self._limit is not None

    @property
    def is_waiting(self) -> bool:
        """Return whether a slot was requested, and is not held yet."""
        return self._task is not None and not self._holds_slot

    def release(self, *, restarted: bool) -> None:
        """Free the slot, or withdraw the request for it; does nothing without either."""
        if self._holds_slot:
            self._restarted = restarted
            self._released.set()
            self._holds_slot = False
        elif self._task is not None and not self._released.is_set():
            self._task.cancel()

    async def close(self) -> None:
        """Free the slot without a hold."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def restart_limit_of(settings: Settings, rng: random.Random, name: str) -> RestartLimit | None:
    """Return the limit of the settings; None without one. Raises ConsulError for an invalid connection."""
    limit = settings[RESTART_LIMIT]
    if limit is None:
        return None
    key, slots = limit
    return RestartLimit(connection_of(settings), key, slots, hold_s=settings[RESTART_HOLD], rng=rng, name=name)
