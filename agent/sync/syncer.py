"""Brings the catalog in line with what the agent holds: at once after a change, and by comparing everything now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from pyconsul.agent.state.contract import Unavailable, View
from pyconsul.agent.state.schemas import NODES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.apply import apply
from pyconsul.agent.sync.blocked import Blocked, Permits
from pyconsul.agent.sync.diff import adopt, diff, scale
from pyconsul.agent.sync.local_state import LocalState, Pending, Update
from pyconsul.agent.sync.node_registration import NodeRegistration

INTERVAL = 60.0  # seconds between two comparisons, in a small cluster
FIRST_RETRY, LAST_RETRY = 0.5, 15.0  # seconds; each wait is twice the one before
COMMIT_LIMIT_S = 15.0  # for one commit; the writer gives up on a disk sooner
WATCH_S = 5.0  # between two looks of the watchdog
STUCK_S = 60.0  # a run of the task that tells the catalog takes longer only when it is stuck
SHOWN = 3  # parts that a message names
MAX_DELAY_S = 10.0  # the agent reports that the catalog is behind when changes wait longer
# Nothing fires this by itself: its listeners are called when everything may have changed, and at the agent's end.
RESTORED = "agent/restored"

log = logging.getLogger("agent.sync")


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How far the catalog is behind what the agent holds: `behind_s` is 0 when it shows everything that may be written.

    error: of the last commit, empty when it succeeded.  failures, restarts (of stuck or dead tasks): since the start.
    """

    behind_s: float
    error: str
    failures: int
    restarts: int


class Syncer:
    """Brings changes into the catalog.  `commit` runs an operation on the catalog and makes it last.

    A row that `permits`, if it is set, refuses is left out, and tried again by the next comparison.  Whatever fails is given
    back to `local` and tried again; a row that cannot be written holds up no other.
    """

    def __init__(
        self,
        local: LocalState,
        me: NodeRegistration,
        catalog: View,
        commit: Callable[[Callable[[WriteTxn], None]], Awaitable[None]],
        rng: Random,
        *,
        commit_limit_s: float = COMMIT_LIMIT_S,
    ) -> None:
        self.me = me
        self._local, self._catalog, self._commit, self._rng = local, catalog, commit, rng
        self._commit_limit_s = commit_limit_s
        self.permits: Permits | None = None
        self._blocked = Blocked()
        self._watches = local.watches
        self._told: asyncio.Task[None] | None = None
        self._told_since = 0.0  # the loop's time
        self._passes: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._wait = FIRST_RETRY
        self._late: dict[str, asyncio.TimerHandle] = {}
        self._behind_since: float | None = None  # the loop's time
        self._reported = False
        self._error, self._failures, self._restarts = "", 0, 0

    async def flush(self) -> bool:
        """Bring the catalog up to date.  False when that failed: it is tried again later."""
        if not self._local:
            return True
        self._note_behind()
        pending = self._local.take()
        try:
            if self.permits is not None:
                pending = self._blocked.permitted(pending, self.permits, self.me.node.node)
        except Exception as error:
            self._give_up([pending], error)
            return False
        try:
            left, failure = await self._write_all(pending)
        except BaseException:
            self._local.give_back(pending)
            raise
        if failure is not None:
            self._give_up(left, failure)
            return False
        self._note_done()
        return True

    async def _write_all(self, pending: Pending) -> tuple[list[Pending], Exception | None]:
        """Write what is pending at once, or else part by part; what could not be written, and why."""
        try:
            await self._write(pending)
        except (TimeoutError, Unavailable) as error:
            return [pending], error
        except Exception as error:  # of one row, or of several
            parts = pending.parts()
            return await self._write_parts(parts) if len(parts) > 1 else (parts, error)
        return [], None

    async def _write_parts(self, parts: Sequence[Pending]) -> tuple[list[Pending], Exception | None]:
        left: list[Pending] = []
        failure: Exception | None = None
        for position, part in enumerate(parts):
            try:
                await self._write(part)
            except (TimeoutError, Unavailable) as error:
                return [*left, *parts[position:]], error
            except Exception as error:
                failure = error
                left.append(part)
        return left, failure

    async def _write(self, pending: Pending) -> None:
        """Raises what the commit raises, TimeoutError."""
        await asyncio.wait_for(self._commit(lambda txn: apply(txn, self.me, pending)), self._commit_limit_s)

    def _give_up(self, left: Sequence[Pending], error: Exception) -> None:
        for part in left:
            self._local.give_back(part)
        self._try_later(error, left)

    async def compare(self) -> bool:
        """Compare everything with the catalog, and put right what differs."""
        try:
            adopt(self._local, diff(self._local, self.me, self._catalog))
        except Exception as error:
            self._try_later(error, [])
            log.exception("the comparison with the catalog failed")
            return False
        return await self.flush()

    def poke(self) -> None:
        """Something changed: bring it into the catalog soon."""
        self._note_behind()
        if self._told is None or self._told.done():
            loop = asyncio.get_running_loop()
            self._told_since = loop.time()
            self._told = loop.create_task(self._tell())

    def status(self) -> SyncStatus:
        """How it stands."""
        behind = 0.0
        if self._behind_since is not None:
            behind = asyncio.get_running_loop().time() - self._behind_since
        return SyncStatus(behind, self._error, self._failures, self._restarts)

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
        loop = asyncio.get_running_loop()
        self._passes = loop.create_task(self._run())
        self._watchdog = loop.create_task(self._watch())

    async def stop(self) -> None:
        """Stop; what has not been told is told at the next start."""
        self._watches.remove(self.look, (RESTORED,))
        for timer in (*self._late.values(), *((self._retry,) if self._retry else ())):
            timer.cancel()
        self._late.clear()
        tasks = [task for task in (self._watchdog, self._told, self._passes) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            interval = INTERVAL * scale(len(self._catalog[NODES]))
            await asyncio.sleep(interval + self._rng.random() * interval / 4)
            await self.compare()

    async def _tell(self) -> None:
        while self._local and await self.flush():
            pass

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                self.check_tasks()
            except Exception:
                log.exception("the watchdog of the catalog's synchronization failed")

    def check_tasks(self) -> None:
        """Restart what is stuck or dead, and report when the catalog is behind (the watchdog's work)."""
        loop = asyncio.get_running_loop()
        running = self._told is not None and not self._told.done()
        if running and loop.time() - self._told_since > STUCK_S:
            self._restart("stuck")
        elif self._local and not running and self._retry is None:
            self._restart("idle")
        if self._passes is None or self._passes.done():
            self._restarts += 1
            log.error("the periodic comparison with the catalog ended, starting it again")
            self._passes = loop.create_task(self._run())
        status = self.status()
        if status.behind_s > MAX_DELAY_S and not self._reported:
            self._reported = True
            log.error(
                "the catalog is behind this agent's checks for %.0f s: %s",
                status.behind_s,
                status.error or "no commit yet",
            )

    def _restart(self, state: str) -> None:
        self._restarts += 1
        log.error("the task that brings changes into the catalog is %s, starting it again", state)
        if self._told is not None:
            self._told.cancel()  # it gives back what it took
            self._told = None
        self.poke()

    def _note_behind(self) -> None:
        if self._behind_since is None and self._local:
            self._behind_since = asyncio.get_running_loop().time()

    def _note_done(self) -> None:
        """A commit succeeded, and nothing of it is left."""
        self._wait, self._error, self._behind_since = FIRST_RETRY, "", None
        self._note_behind()  # of what changed meanwhile
        if self._reported:
            self._reported = False
            log.info("the catalog shows again what this agent holds")

    def _try_later(self, error: Exception, left: Sequence[Pending]) -> None:
        self._failures += 1
        self._error = str(error) or type(error).__name__
        what = "; ".join(map(str, left[:SHOWN])) or "everything"
        log.warning("the catalog does not show %s, retrying in %gs: %s", what, self._wait, self._error)
        if self._retry is not None:
            self._retry.cancel()
        self._retry = asyncio.get_running_loop().call_later(self._wait, self._retry_now)
        self._wait = min(2 * self._wait, LAST_RETRY)

    def _retry_now(self) -> None:
        self._retry = None
        self.poke()

    def _late_output(self, check_id: str) -> None:
        self._late.pop(check_id, None)
        if check_id in self._local.late:
            self._local.mark_check(check_id)
            self.poke()

    def _forget(self, check_id: str) -> None:
        timer = self._late.pop(check_id, None)
        if timer is not None:
            timer.cancel()
