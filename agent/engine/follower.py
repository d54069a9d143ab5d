"""Installs the changesets of other servers into the store, in order."""

from __future__ import annotations

import asyncio
import logging

from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.engine.contract import Compacted, Engine, EngineError
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.store import InstallError, Store

LARGE_ROWS = 1000  # of a changeset that is installed step by step
RETRY_S = 0.2
REPORT_S = 300.0  # before a failure that lasts is reported again

log = logging.getLogger("agent.engine")


class Follower:
    """Follows an engine for one store.

    lock: hold it from reading the state for a write until the write is installed, so that no other change comes between.
    """

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store, self._engine = store, engine
        self.lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._reported: dict[type[Exception], float] = {}  # kinds of failures since it last succeeded -> loop time

    def start(self) -> None:
        """Follow from now on; nothing happens when it does already."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()

    async def reach(self, index: int, timeout_s: float) -> None:
        """Wait until everything up to an index is installed.  Raises EngineError when that takes too long."""
        if self._store.index >= index:
            return
        self.start()
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((index, reached))
        try:
            await asyncio.wait_for(reached, timeout_s)
        except TimeoutError:
            raise EngineError(f"no changes up to index {index} have arrived for {timeout_s:g} s") from None

    async def _follow(self) -> None:
        while True:
            try:
                async for changeset in self._engine.watch(self._store.index):
                    await self._install(changeset)
                    self._note_success()
                error: Exception = EngineError("the engine ended the watch")
            except Compacted as compacted:
                log.info("reading the whole state: %s", compacted)
                if (unread := await self._reload()) is None:
                    self._note_success()
                    continue
                error = unread
            except Exception as failure:
                error = failure
            self._report(error)
            await asyncio.sleep(RETRY_S)

    def _report(self, error: Exception) -> None:
        """Log that following fails, now and then."""
        unforeseen = None if isinstance(error, EngineError) else error
        kind, now = EngineError if unforeseen is None else type(error), asyncio.get_running_loop().time()
        is_due = now - self._reported.get(kind, -REPORT_S) >= REPORT_S
        if is_due:
            self._reported[kind] = now
        level = logging.WARNING if is_due else logging.DEBUG
        log.log(
            level, "cannot follow the other servers, trying again until that succeeds: %s", error, exc_info=unforeseen
        )

    def _note_success(self) -> None:
        if self._reported:
            self._reported.clear()
            log.info("the changes of the other servers arrive again")

    async def _install(self, changeset: Changeset) -> None:
        store = self._store
        async with self.lock:
            if changeset.index <= store.index:
                return  # written by this server
            if changeset.first != store.index + 1:
                raise Compacted(f"changeset {changeset.first} does not follow index {store.index}")
            try:
                if len(changeset.writes) < LARGE_ROWS:
                    store.install(changeset)
                else:
                    await in_turns(store.install_in_steps(changeset))
            except InstallError as error:
                log.critical("%s", error, exc_info=error)
        self.notify()

    async def _reload(self) -> Exception | None:
        """Take the engine's state in place of the store's; returns why it could not be read."""
        async with self.lock:
            try:
                loaded = await self._engine.load()
                tables = await asyncio.to_thread(self._store.tables_of, list(loaded.rows))
            except Exception as error:
                return error
            self._store.replace_tables(tables, loaded.index or self._store.index)  # 0: nothing was written yet
        self.notify()
        return None

    def notify(self) -> None:
        """Continue those who wait for an index that is reached."""
        if not self._waiting:
            return
        index = self._store.index
        for wanted, reached in self._waiting:
            if wanted <= index and not reached.done():
                reached.set_result(None)
        self._waiting = [(wanted, reached) for wanted, reached in self._waiting if not reached.done()]
