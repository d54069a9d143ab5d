"""Brings the catalog in line with what the agent holds: at once after a change, and by comparing everything now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

from pyconsul.agent.state.draft import Draft, View
from pyconsul.agent.state.schemas import NODES
from pyconsul.agent.sync.apply import apply
from pyconsul.agent.sync.blocked import Blocked, Permits
from pyconsul.agent.sync.diff import adopt, diff, scale
from pyconsul.agent.sync.local import LocalState, Update
from pyconsul.agent.sync.member import Member

INTERVAL = 60.0  # seconds between two comparisons, in a small cluster
FIRST_RETRY, LAST_RETRY = 0.5, 15.0  # seconds; each wait is twice the one before
# Nothing fires this by itself: its listeners are called when everything may have changed, and at the agent's end.
RESTORED = "agent/restored"

log = logging.getLogger("agent.sync")


class Syncer:
    """Tells the catalog what changed.  `commit` runs an operation on the catalog and makes it last.

    A row that `permits`, if it is set, refuses is left out, and tried again by the next comparison.
    """

    def __init__(
        self,
        local: LocalState,
        me: Member,
        catalog: View,
        commit: Callable[[Callable[[Draft], None]], Awaitable[None]],
        rng: Random,
    ) -> None:
        self.me = me
        self._local, self._catalog, self._commit, self._rng = local, catalog, commit, rng
        self.permits: Permits | None = None
        self._blocked = Blocked()
        self._watches = local.watches
        self._told: asyncio.Task[None] | None = None
        self._passes: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._wait = FIRST_RETRY
        self._late: dict[str, asyncio.TimerHandle] = {}

    async def flush(self) -> bool:
        """Tell the catalog what changed.  False when that failed: it is tried again later."""
        if not self._local:
            return True
        pending = self._local.take()
        if self.permits is not None:
            pending = self._blocked.permitted(pending, self.permits, self.me.node.node)
        try:
            await self._commit(lambda draft: apply(draft, self.me, pending))
        except asyncio.CancelledError:
            self._local.give_back(pending)
            raise
        except Exception as error:  # whatever it is: the agent goes on with what it holds, and tries again
            self._local.give_back(pending)
            self._try_later(error)
            return False
        self._wait = FIRST_RETRY
        return True

    async def compare(self) -> bool:
        """Compare everything with the catalog, and put right what differs."""
        adopt(self._local, diff(self._local, self.me, self._catalog))
        return await self.flush()

    def poke(self) -> None:
        """Something changed: tell the catalog soon."""
        if self._told is None:
            self._told = asyncio.get_running_loop().create_task(self._tell())

    def look(self) -> None:
        """The catalog may have become another one (a snapshot was restored): compare, and tell it soon what differs."""
        if self._watches.closed:
            return
        self._watches.add(self.look, (RESTORED,))
        adopt(self._local, diff(self._local, self.me, self._catalog))
        self.poke()

    def note(self, check_id: str, update: Update, patience: float) -> None:
        """A check's result changed something; an output alone waits about `patience` seconds."""
        if update is Update.NOW:
            self._forget(check_id)
            self.poke()
        elif update is Update.LATER and check_id not in self._late:
            delay = patience * (0.5 + self._rng.random())
            self._late[check_id] = asyncio.get_running_loop().call_later(delay, self._late_output, check_id)

    def start(self) -> None:
        """Compare again and again from now on, and when the catalog was replaced."""
        self._watches.add(self.look, (RESTORED,))
        self._passes = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop; what has not been told is told at the next start."""
        self._watches.remove(self.look, (RESTORED,))
        for timer in (*self._late.values(), *((self._retry,) if self._retry else ())):
            timer.cancel()
        self._late.clear()
        tasks = [task for task in (self._told, self._passes) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            interval = INTERVAL * scale(len(self._catalog[NODES]))
            await asyncio.sleep(interval + self._rng.random() * interval / 4)
            await self.compare()

    async def _tell(self) -> None:
        try:
            while self._local and await self.flush():
                pass
        finally:
            self._told = None

    def _try_later(self, error: Exception) -> None:
        log.warning("the catalog does not show what this agent holds, trying again in %gs: %s", self._wait, error)
        if self._retry is not None:
            self._retry.cancel()
        self._retry = asyncio.get_running_loop().call_later(self._wait, self.poke)
        self._wait = min(2 * self._wait, LAST_RETRY)

    def _late_output(self, check_id: str) -> None:
        self._late.pop(check_id, None)
        if check_id in self._local.late:
            self._local.mark_check(check_id)
            self.poke()

    def _forget(self, check_id: str) -> None:
        timer = self._late.pop(check_id, None)
        if timer is not None:
            timer.cancel()
