"""The one write path: operations become changesets, the engine makes them durable, then they are installed.

Operations that arrive while the engine is busy wait and share the next commit (group commit): each sees what those before it in
the batch do, and each has its own index.  An operation that fails, or whose rows cannot be stored, is rolled back alone.  When
another server has written meanwhile, its changes are installed and the operations run again.  Whatever is raised on the way, every
caller gets a response and the writer goes on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.common.turns import in_turns
from pyconsul.agent.engine.batch import Batch, check_size
from pyconsul.agent.engine.contract import Conflict, Engine, EngineError, OutcomeUnknown
from pyconsul.agent.engine.follower import LARGE_ROWS, Follower
from pyconsul.agent.engine.work import ALONE, Done, LongOperation, Operation, Replacement, Result, Waiting, Work, fail
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.row_rules import check_index
from pyconsul.agent.state.schemas import INDEXES
from pyconsul.agent.state.store import InstallError, Store, Tables, floor_row
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")
STALL_S = 10.0  # a commit that takes longer is reported, and its callers are answered
PASS_ON_S = 1.0  # that a commit gets once another server leads: its engine may not respond for long
RECHECK_S = 1.0  # while a commit is stalled, or its outcome unknown
SETTLE_S = 2.0  # that a writer which is about to end tries to find out about its last commit
RETRY_S = 0.05  # after a conflict or an unknown outcome that brought nothing new
MAX_ROWS = 10_000_000  # of a state that takes the place of another

log = logging.getLogger("agent.writer")


class Writer:
    """Commits operations one batch at a time."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        clock: Callable[[], float] = time.time,
        stall_s: float = STALL_S,
        follower: Follower | None = None,
    ) -> None:
        """follower: the one of the same store and engine; by default one that starts at the first conflict."""
        self._store, self._engine, self._clock, self._stall_s = store, engine, clock, stall_s
        self._follower = follower or Follower(store, engine)
        self._waiting: deque[Waiting] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the first operation
        self._task: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._committing: tuple[float, Sequence[Result]] | None = None  # since when (the loop's time), and for whom
        self._failing = False
        self._settle_until = math.inf  # loop time until which the outcome of a commit is asked for

    def commit(self, operation: Operation[T]) -> asyncio.Future[T]:
        """Run an operation and make what it wrote durable; the future has its result.

        The future fails with what the operation raised, with Refused for a row that cannot be stored (then nothing of it
        was written), EngineError, or OutcomeUnknown when the disk does not answer in time.
        """
        return self._enqueue(operation)

    def replace(self, rows: Sequence[tuple[str, Any]], index: int) -> asyncio.Future[int]:
        """Replace the state once the waiting work is written; the future has the new index.

        Nothing changes when it fails: with Refused for rows that break a rule, or EngineError.  A caller that goes away
        does not stop it.
        """
        return self._enqueue(Replacement(rows, index))

    def commit_steps(self, operation: Callable[[WriteTxn], Steps[T]]) -> asyncio.Future[T]:
        """Run a long operation as `commit` does: reads go on between its steps, and see nothing of it before it is durable."""
        return self._enqueue(LongOperation(operation))

    def _enqueue(self, work: Work) -> Done:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()  # a system call each time
        done: Done = loop.create_future()
        self._waiting.append((work, done, loop.time()))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._write())
        return done

    def refuse_waiting(self, error: EngineError) -> None:
        """Fail the work that waits behind a commit; nothing of it was begun."""
        fail((done for _, done, _ in self._waiting), error)
        self._waiting.clear()

    def pass_on(self, error: EngineError) -> None:
        """Another server writes from now on: fail what waits, and the commit under way unless it ends soon."""
        self.refuse_waiting(error)
        if self._committing is not None:
            asyncio.get_running_loop().call_later(PASS_ON_S, self._give_up, self._committing[1])

    def _give_up(self, results: Sequence[Result]) -> None:
        if self._committing is not None and self._committing[1] is results:
            text = f"another server leads now, and no write was confirmed for {PASS_ON_S:g} s; this one may still take effect"
            self._fail(OutcomeUnknown(text), results)

    async def drain(self) -> None:
        """Wait until nothing is waiting to be written."""
        self._settle_until = asyncio.get_running_loop().time() + SETTLE_S
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])
        self._settle_until = math.inf

    async def _write(self) -> None:
        while self._waiting:
            batch: list[Waiting] = []
            try:
                async with self._follower.lock:
                    await self._write_next(batch)
            except Conflict as conflict:
                await self._try_again(batch, conflict)
            except BaseException as error:
                fail((done for _, done, _ in batch), error)
                if not isinstance(error, Exception):  # the agent ends
                    fail((done for _, done, _ in self._waiting), error)
                    self._waiting.clear()
                    raise
                log.error("a batch of %d writes failed", len(batch), exc_info=error)

    async def _write_next(self, batch: list[Waiting]) -> None:
        """Write what waits first, in one commit; `batch` gets what was taken from the queue.  Raises Conflict."""
        if not self._waiting:
            return
        work, done, _ = first = self._waiting.popleft()
        batch.append(first)
        if isinstance(work, Replacement):
            await self._replace(work, done)
        elif isinstance(work, LongOperation):
            with _gc_paused():
                await self._write_steps(work, done)
        else:
            await self._write_batch(batch)

    async def _try_again(self, batch: Sequence[Waiting], conflict: Conflict) -> None:
        """Put work back into the queue, once the changes of the other server are installed."""
        loop = asyncio.get_running_loop()
        unanswered = [waiting for waiting in batch if not waiting[1].done()]
        try:
            if conflict.index > self._store.index:
                await self._follower.reach(conflict.index, self._stall_s)
            else:
                await asyncio.sleep(RETRY_S)
        except EngineError as error:
            fail((done for _, done, _ in unanswered), error)
            return
        latest = loop.time() - self._stall_s
        for waiting in reversed(unanswered):
            if waiting[2] < latest:
                fail((waiting[1],), EngineError(f"not written within {self._stall_s:g} s: {conflict}"))
            else:
                self._waiting.appendleft(waiting)

    async def _replace(self, new: Replacement, done: Done) -> None:
        tables = await asyncio.to_thread(_prepared, self._store, new)
        index = max(self._store.index, new.index) + 1  # indexes never fall, so that blocking queries see the change
        floor = floor_row(index)
        tables[INDEXES.name].put(floor[1])
        try:
            await self._engine.replace([*new.rows, floor], index)
        except OutcomeUnknown as error:
            if not await self._settled(error, ((done, None, None, None),)):
                return
        self._store.replace_tables(tables, index)
        self._follower.notify()
        if not done.done():
            done.set_result(index)

    async def _write_steps(self, work: LongOperation, done: Done) -> None:
        txn = WriteTxn(self._store, undo=False)
        txn.begin(self._store.index + 1, self._clock())
        changeset, value, failure = None, None, None
        try:
            value = await in_turns(work.steps(txn))
            changeset = txn.finish() or None
            if changeset is not None:
                await in_turns(codec.store_rows_in_steps(changeset))
                check_size(changeset, self._engine.limits)
        except Exception as error:
            changeset, failure = None, error
        results = [(done, value, failure, changeset)]
        if not await self._make_durable([changeset] if changeset is not None else [], results):
            return
        if changeset is None or len(changeset.writes) < LARGE_ROWS:
            self._finish(results)
            return
        await in_turns(self._store.install_large(changeset, txn.overlays))
        self._follower.notify()
        if not done.done():
            done.set_result(value)

    async def _write_batch(self, taken: list[Waiting]) -> None:
        """Write operations together, as many as wait and as one commit has room for; the first is in `taken`."""
        batch, waiting = Batch(self._store, self._engine.limits, self._clock()), self._waiting
        work, done, _ = taken[-1]
        while batch.add(work, done):  # type: ignore[arg-type]  # the others are written alone
            if batch.is_full or not waiting or isinstance(waiting[0][0], ALONE):
                break
            work, done, _ = following = waiting.popleft()
            taken.append(following)
        else:
            waiting.appendleft(taken.pop())
        if await self._make_durable(batch.changesets, batch.results):
            self._finish(batch.results)

    async def _make_durable(self, changesets: Sequence[Changeset], results: Sequence[Result]) -> bool:
        """Commit changesets; on failure answer everybody and return False.  Raises Conflict.

        Without changesets, make sure that the state from which the results come is not an old one.
        """
        loop = self._loop
        assert loop is not None
        self._committing = (loop.time(), results)
        if self._watchdog is None:  # it stays over many commits: a timer for each would cost more than it brings
            self._watchdog = loop.call_later(self._stall_s, self._watch)
        try:
            if changesets:
                await self._engine.commit(changesets)
            elif (index := await self._engine.barrier()) > self._store.index:
                raise Conflict(index)
        except Conflict:
            raise
        except OutcomeUnknown as error:
            return await self._settled(error, results)
        except Exception as error:
            known = error if isinstance(error, EngineError) else EngineError(f"cannot write: {error}")
            self._fail(known, results, None if known is error else error)
            return False
        finally:
            self._committing = None
        if changesets:
            self._report(None)
        return True

    def _fail(self, error: EngineError, results: Sequence[Result], cause: BaseException | None = None) -> None:
        """Fail the caller; the error of its operation takes precedence."""
        self._report(error, cause)
        for done, _, failure, _ in results:
            fail((done,), failure or error)

    async def _settled(self, error: OutcomeUnknown, results: Sequence[Result]) -> bool:
        """Find out whether a commit took effect; when it did not, raise Conflict, so that it is made again."""
        self._report(error)
        loop = asyncio.get_running_loop()
        while error.commit_id and loop.time() < self._settle_until:
            try:
                async with asyncio.timeout(min(RECHECK_S, self._settle_until - loop.time())):
                    took_effect = await self._engine.took_effect(error.commit_id)
            except OutcomeUnknown as lost:  # it can never be found out
                error = lost
                break
            except (EngineError, TimeoutError) as again:
                log.debug("cannot find out about a commit, retrying in %gs: %s", RETRY_S, again)
                await asyncio.sleep(RETRY_S)
                continue
            self._report(None)
            if not took_effect:
                raise Conflict(self._store.index)
            return True
        self._fail(error, results)
        if loop.time() >= self._settle_until:
            self.refuse_waiting(EngineError("not written: this server ends, and its engine does not respond"))
        return False

    def _finish(self, results: Sequence[Result]) -> None:
        """Install durable changesets, and respond to their callers."""
        for done, value, failure, changeset in results:
            if failure is not None:
                fail((done,), failure)
                continue
            try:
                if changeset is not None:
                    self._store.install(changeset)
            except InstallError as error:
                log.critical("%s", error, exc_info=error)
                fail((done,), EngineError(str(error)))
            if not done.done():
                done.set_result(value)
        self._follower.notify()

    def _watch(self) -> None:
        """Fail the callers of a commit whose engine does not respond, and those that have waited too long for it."""
        self._watchdog = None
        if self._committing is None:
            return
        loop = asyncio.get_running_loop()
        since, results = self._committing
        left = since + self._stall_s - loop.time()
        self._watchdog = loop.call_later(max(left, RECHECK_S), self._watch)
        if left > 0:
            return
        waited = f"no write was confirmed for {self._stall_s:g} s (by the disk or, in a cluster, by most servers)"
        self._fail(OutcomeUnknown(f"{waited}; this one may still take effect"), results)
        latest = loop.time() - self._stall_s
        while self._waiting and self._waiting[0][2] <= latest:
            fail((self._waiting.popleft()[1],), EngineError(f"{waited}; this one was not begun"))

    def _report(self, error: EngineError | None, cause: BaseException | None = None) -> None:
        """Log once that writing fails, and once that it works again."""
        if error is not None and not self._failing:
            log.error("writes fail, reads continue: %s", error, exc_info=cause)
        elif error is None and self._failing:
            log.info("writes succeed again")
        self._failing = error is not None


def _prepared(store: Store, new: Replacement) -> Tables:
    """Return the tables of another state, with every row checked.  Raises Refused."""
    if len(new.rows) > MAX_ROWS:
        raise Refused(f"the new state has {len(new.rows)} rows; allowed: {MAX_ROWS}")
    try:
        check_index(new.index)
    except ValueError as error:
        raise Refused(str(error)) from None
    try:
        tables = store.tables_of(new.rows)
        for table in tables.values():
            for _ in codec.stored_rows((table.schema, row) for row in table):
                pass
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Refused(f"the new state holds a row of an unknown table or of the wrong type: {error}") from error
    return tables


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Suspend garbage collection: a full one over the rows of a long operation would take longer than any step."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
