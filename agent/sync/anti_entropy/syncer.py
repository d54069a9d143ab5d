"""Anti-entropy: writes pending changes into the catalog at once, and compares everything with it periodically (full sync)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pyconsul.agent.state.contract import Unavailable
from pyconsul.agent.sync.anti_entropy.blocked import Blocked, Permits
from pyconsul.agent.sync.anti_entropy.catalog_writer import CATALOG_TIMEOUT_S, CatalogWriter
from pyconsul.agent.sync.anti_entropy.contract import Catalog
from pyconsul.agent.sync.anti_entropy.diff import diff, interval_factor, mark
from pyconsul.agent.sync.anti_entropy.late_outputs import LateOutputs
from pyconsul.agent.sync.anti_entropy.retry_timer import RetryTimer
from pyconsul.agent.sync.anti_entropy.shared_write import SharedWrite
from pyconsul.agent.sync.anti_entropy.short_wait import ShortWait
from pyconsul.agent.sync.local_state import LocalState, Pending, Update
from pyconsul.agent.sync.node_registration import NodeRegistration

INTERVAL_S = 60.0  # between two full syncs in a small cluster
QUIET_FAILURES = 3  # of a starting agent that finds no catalog: it first has to join the others
NODE_ONLY_DELAY_S = 2.0  # after the first contact, while only the node itself is to be written; up to half of it more
WATCHDOG_PERIOD_S = 5.0
STUCK_S = 60.0  # age from which a running worker counts as stuck
MAX_LOGGED_PARTS = 3
MAX_DELAY_S = 10.0  # age of pending changes from which the agent reports that the catalog is behind

log = logging.getLogger("agent.sync")


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """State of the synchronization.

    behind_s: age of the oldest pending change, 0 when nothing is pending.  error: of the last write, empty after a success.
    failures, restarts (of stuck or dead tasks): counted since the start.
    """

    behind_s: float
    error: str
    failures: int
    restarts: int


class Syncer:
    """Writes the pending changes of `local` into `catalog`.

    Rows that `permits` refuses are skipped until the next full sync; without `permits` every row is written.  Changes whose
    write fails are given back to `local` and retried; one row that cannot be written does not delay the others.
    """

    def __init__(
        self,
        local: LocalState,
        registration: NodeRegistration,
        catalog: Catalog,
        rng: Random,
        *,
        permits: Permits | None = None,
        catalog_timeout_s: float = CATALOG_TIMEOUT_S,
    ) -> None:
        self.registration = registration
        self._local, self._rng, self._permits = local, rng, permits
        self._writer = CatalogWriter(catalog, catalog_timeout_s)
        self._late = LateOutputs(self._on_late_output)
        self._blocked = Blocked()
        self._worker: asyncio.Task[None] | None = None
        self._worker_since = 0.0  # the loop's time
        self._full_sync_due = False
        self._cluster_nodes = 0
        self._periodic: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._timer = RetryTimer(self.schedule)
        self._writes = SharedWrite(self._write_pending)
        self._short_wait = ShortWait(self._writes.begin, self.schedule)
        self._behind_since: float | None = None  # the loop's time
        self._reported = False
        self._error, self._failures, self._restarts = "", 0, 0
        self._held = self._stopped = False
        self._is_away = False  # nothing can be written at present: logged once, and when it is over
        self._has_written = False

    def hold(self) -> None:
        """Write nothing until `release`: the definitions of a starting agent are not complete yet."""
        self._held = True

    def release(self) -> None:
        """Compare everything soon, and write from now on."""
        self._held = False
        self.schedule_full_sync()

    async def show(self) -> None:
        """Write everything that is pending, and wait a moment for it unless writes fail, or take long, at present."""
        if not (self._timer.is_waiting or self._held):
            await self._short_wait.run()

    async def flush(self) -> bool:
        """Write everything that is pending; False when that failed and is retried later, or after `stop`."""
        return await asyncio.shield(self._writes.begin())

    async def _write_pending(self) -> bool:
        if not self._local or self._stopped:
            return not self._local
        self._note_behind()
        pending = self._local.take()
        try:
            if self._permits is not None:
                pending = self._blocked.permitted(pending, self._permits, self.registration.node.node)
        except Exception as error:
            self._retry_later(error, [pending])
            return False
        try:
            left, failure = await self._writer.write_all(self.registration, pending)
        except BaseException:
            self._local.give_back(pending)
            raise
        if failure is not None:
            self._retry_later(failure, left)
            return False
        self._note_done()
        return True

    async def full_sync(self) -> bool:
        """Compare everything with the catalog and write the differences; False when that failed and is retried later."""
        if self._stopped:
            return False
        self._full_sync_due = False
        try:
            shown = await self._writer.node_rows(self.registration.node.node)
            self._cluster_nodes = shown.cluster_nodes
            mark(self._local, diff(self._local, self.registration, shown))
        except BaseException as error:
            self._full_sync_due = True
            if not isinstance(error, Exception):
                raise
            if not isinstance(error, Unavailable):
                log.exception("comparing with the catalog failed")
            self._retry_later(error, [])
            return False
        if not self._local:
            self._note_done()
        return await self.flush()

    def schedule(self) -> None:
        """Write pending changes soon, in the background."""
        if self._stopped or self._held:
            return
        self._note_behind()
        if self._worker is None or self._worker.done():
            loop = asyncio.get_running_loop()
            self._worker_since = loop.time()
            self._worker = loop.create_task(self._work())

    def schedule_full_sync(self) -> None:
        """Compare everything soon, in the background: a restore may have replaced the catalog."""
        self._full_sync_due = True
        self.schedule()

    def reconfigure(self, registration: NodeRegistration) -> None:
        """Use another registration of the node from the next full sync on."""
        self.registration = registration

    def status(self) -> SyncStatus:
        """Return the state of the synchronization."""
        behind = 0.0
        if self._behind_since is not None:
            behind = asyncio.get_running_loop().time() - self._behind_since
        return SyncStatus(behind, self._error, self._failures, self._restarts)

    def on_check(self, check_id: str, update: Update, output_delay_s: float) -> None:
        """Schedule the write of a check's result; a change of the output alone is delayed by about `output_delay_s`."""
        if update is Update.NOW:
            self._late.cancel(check_id)
            self.schedule()
        elif update is Update.LATER:
            self._late.delay(check_id, output_delay_s * (0.5 + self._rng.random()))

    def start(self) -> None:
        """Start periodic full syncs."""
        loop = asyncio.get_running_loop()
        self._periodic = loop.create_task(self._sync_periodically())
        self._watchdog = loop.create_task(self._watch())

    async def stop(self) -> None:
        """Cancel all tasks, and write nothing any more: an agent that leaves must not register its node again.

        Pending changes are found by the full sync of the next start.
        """
        self._stopped = True
        self._timer.cancel()
        self._late.cancel_all()
        tasks = [task for task in (self._watchdog, self._worker, self._periodic) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._writes.cancel(), return_exceptions=True)

    async def _sync_periodically(self) -> None:
        while True:
            interval_s = INTERVAL_S * interval_factor(self._cluster_nodes)
            await asyncio.sleep(interval_s + self._rng.random() * interval_s / 4)
            await self.full_sync()

    async def _work(self) -> None:
        done = True
        while done and (self._full_sync_due or self._local):
            done = await (self.full_sync() if self._full_sync_due else self.flush())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCHDOG_PERIOD_S)
            try:
                self.check_tasks()
            except Exception:
                log.exception("the watchdog of anti-entropy failed")

    def check_tasks(self) -> None:
        """Restart stuck or dead tasks, and report when the catalog is behind (called by the watchdog)."""
        loop = asyncio.get_running_loop()
        running = self._worker is not None and not self._worker.done()
        if running and loop.time() - self._worker_since > STUCK_S:
            self._restart_worker("stuck")
        elif (self._full_sync_due or self._local) and not running and not self._timer.is_begun:
            self._restart_worker("idle")
        if self._periodic is None or self._periodic.done():
            self._restarts += 1
            log.error("periodic anti-entropy ended, restarting it")
            self._periodic = loop.create_task(self._sync_periodically())
        status = self.status()
        if status.behind_s > MAX_DELAY_S and not self._reported and not self._is_away:
            self._reported = True
            log.error(
                "the catalog is behind this agent's checks for %.0f s: %s",
                status.behind_s,
                status.error or "no commit yet",
            )

    def _restart_worker(self, state: str) -> None:
        self._restarts += 1
        log.error("the anti-entropy worker is %s, restarting it", state)
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None
            self._writes.cancel()  # they give back the changes that they took
        self.schedule()

    def _note_behind(self) -> None:
        if self._behind_since is None and self._local:
            self._behind_since = asyncio.get_running_loop().time()

    def _note_done(self) -> None:
        """Reset the failure state after everything that was taken has been written."""
        self._timer.reset()
        self._error, self._behind_since, self._has_written = "", None, True
        if self._is_away:
            self._is_away = False
            log.info("the catalog can be reached again, anti-entropy goes on")
        self._note_behind()  # of changes made meanwhile
        if self._reported:
            self._reported = False
            log.info("the catalog is up to date with this agent again")

    def _retry_later(self, error: Exception, left: Sequence[Pending]) -> None:
        """Give back what could not be written, and write it later."""
        for part in left:
            self._local.give_back(part)
        self._failures += 1
        self._error = str(error) or type(error).__name__
        what = "; ".join(map(str, left[:MAX_LOGGED_PARTS])) or "everything"
        if isinstance(error, Unavailable):
            is_starting = not self._has_written and self._failures <= QUIET_FAILURES
            level = logging.DEBUG if self._is_away or is_starting else logging.WARNING
            self._is_away = not is_starting
        else:
            level = logging.WARNING
        backoff_s = self._timer.back_off()
        log.log(level, "anti-entropy sync failed, retrying in %gs: %s: %s", backoff_s, what, self._error)

    def retry(self) -> None:
        """Try again at once what has failed, if anything has: there may be another server.

        The first write of an agent without services and checks is delayed: its node is in the catalog by gossip, and many agents
        that start together should not all write at that moment.
        """
        if not self._timer.is_waiting:
            return
        if self._has_written or self._local.services or self._local.checks:
            self._timer.now()
        else:
            self._timer.begin_in(NODE_ONLY_DELAY_S * (1 + self._rng.random() / 2))

    def _on_late_output(self, check_id: str) -> None:
        if check_id in self._local.late:
            self._local.mark_check(check_id)
            self.schedule()
