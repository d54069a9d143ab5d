"""The one write path: operations become changesets, the engine keeps them, then they are installed.

Operations that arrive while the engine is busy wait and share the next commit (group commit): each sees what those before it in
the batch do, and each has its own index.  An operation that fails, or whose rows cannot be stored, is rolled back alone.  Whatever
is raised on the way, every caller gets a response and the writer goes on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.engine.contract import Engine, EngineError, OutcomeUnknown
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.row_rules import check_index
from pyconsul.agent.state.store import InstallError, Store, Tables
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")
Operation: TypeAlias = Callable[[WriteTxn], T]
TURN_S = 0.005  # seconds of a long operation after which others have their turn
LARGE = 1000  # rows of a changeset that is installed step by step
BATCH = 256  # operations in one commit, so that none waits long for the others
STALL_S = 10.0  # a commit that takes longer is reported, and its callers are answered
RECHECK_S = 1.0  # while a commit is stalled
MAX_ROWS = 10_000_000  # of a state that takes the place of another


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another state, (table name, row) each, and the index it was written up to."""

    rows: Sequence[tuple[str, Any]]
    index: int


@dataclass(frozen=True, slots=True)
class LongOperation:
    """An operation that takes long enough to be interrupted: others are served between its steps."""

    steps: Callable[[WriteTxn], Steps[Any]]


_ALONE = (Replacement, LongOperation)  # these share no commit
Work: TypeAlias = Operation[Any] | Replacement | LongOperation
Done: TypeAlias = asyncio.Future[Any]


#: Work that waits, and since when (the loop's time).
Waiting: TypeAlias = tuple[Work, Done, float]
#: What an operation answers once its changeset, if it has one, is durable.
Result: TypeAlias = tuple[Done, Any, Changeset | None]


log = logging.getLogger("agent.writer")


class Writer:
    """Commits operations one batch at a time."""

    def __init__(
        self, store: Store, engine: Engine, clock: Callable[[], float] = time.time, stall_s: float = STALL_S
    ) -> None:
        self._store, self._engine, self._clock, self._stall_s = store, engine, clock, stall_s
        self._waiting: deque[Waiting] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that the first operation comes from
        self._task: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._committing: tuple[float, Sequence[Result]] | None = None  # since when (the loop's time), and for whom
        self._failing = False

    def commit(self, operation: Operation[T]) -> asyncio.Future[T]:
        """Run an operation and make what it wrote durable; the future has its answer.

        The future fails with what the operation raised, with Refused for a row that cannot be stored (then nothing of it
        was written), EngineError, or OutcomeUnknown when the disk does not answer in time.
        """
        return self._enqueue(operation)

    def replace(self, rows: Sequence[tuple[str, Any]], index: int) -> asyncio.Future[int]:
        """Put another state in place of all there is, once what waits is written; the future has the index that it stands at.

        Nothing changes when it fails: with Refused for rows that break a rule, or EngineError.  A caller that goes away
        does not stop it.
        """
        return self._enqueue(Replacement(rows, index))

    def commit_steps(self, operation: Callable[[WriteTxn], Steps[T]]) -> asyncio.Future[T]:
        """As `commit`, for a long operation: reads go on between its steps, and see nothing of it before it is durable."""
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

    async def drain(self) -> None:
        """Wait until nothing is waiting to be written."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                work, done, _ = batch[0]
                if isinstance(work, Replacement):
                    await self._replace(work, done)
                elif isinstance(work, LongOperation):
                    with _uncollected():
                        await self._write_steps(work, done)
                else:
                    await self._write_batch(batch)
            except BaseException as error:
                _fail((done for _, done, _ in batch), error)
                if not isinstance(error, Exception):  # the agent ends
                    _fail((done for _, done, _ in self._waiting), error)
                    self._waiting.clear()
                    raise
                log.error("a batch of %d writes failed", len(batch), exc_info=error)

    def _next_batch(self) -> list[Waiting]:
        """Operations that share one commit; a replacement and a long operation come alone."""
        waiting = self._waiting
        batch = [waiting.popleft()]
        if not isinstance(batch[0][0], _ALONE):
            while waiting and len(batch) < BATCH and not isinstance(waiting[0][0], _ALONE):
                batch.append(waiting.popleft())
        return batch

    async def _replace(self, new: Replacement, done: Done) -> None:
        tables = await asyncio.to_thread(_prepared, self._store, new)
        index = max(self._store.index, new.index) + 1  # indexes never fall, so that blocking queries see the change
        await self._engine.replace(new.rows, index)
        self._store.replace_tables(tables, index)
        if not done.done():
            done.set_result(index)

    async def _write_steps(self, work: LongOperation, done: Done) -> None:
        txn = WriteTxn(self._store, undo=False)
        txn.begin(self._store.index + 1, self._clock())
        try:
            value = await _paced(work.steps(txn))
            changeset = txn.finish()
            await _paced(codec.encode_steps(changeset))
        except Exception as error:
            _fail((done,), error)
            return
        if changeset and not await self._keep([changeset], [(done, value, changeset)]):
            return
        if len(changeset.writes) < LARGE:
            self._finish((done, value, changeset or None))
            return
        await _paced(self._store.install_large(changeset, txn.overlays))
        if not done.done():
            done.set_result(value)

    async def _write_batch(self, batch: Sequence[Waiting]) -> None:
        txn = WriteTxn(self._store)
        index, now = self._store.index, self._clock()
        changesets: list[Changeset] = []
        results: list[Result] = []
        for operation, done, _ in batch:
            txn.begin(index + 1, now)
            try:
                value = operation(txn)  # type: ignore[operator]  # the others are batches by themselves
                changeset = txn.finish() or None
                if changeset is not None:
                    codec.encode(changeset)
            except BaseException as error:
                txn.roll_back()
                _fail((done,), error)
                continue
            if changeset is not None:
                changesets.append(changeset)
                index += 1
            results.append((done, value, changeset))
        if changesets and not await self._keep(changesets, results):
            return
        for result in results:
            self._finish(result)

    async def _keep(self, changesets: Sequence[Changeset], results: Sequence[Result]) -> bool:
        """Make changesets durable; on failure answer everybody and return False."""
        loop = self._loop
        assert loop is not None
        self._committing = (loop.time(), results)
        if self._watchdog is None:  # it stays over many commits: a timer for each would cost more than it brings
            self._watchdog = loop.call_later(self._stall_s, self._watch)
        try:
            await self._engine.commit(changesets)
        except Exception as error:
            known = error if isinstance(error, EngineError) else EngineError(f"cannot write: {error}")
            self._report(known, None if known is error else error)
            _fail((done for done, _, _ in results), known)
            return False
        finally:
            self._committing = None
        self._report(None)
        return True

    def _finish(self, result: Result) -> None:
        """Install what is durable, and answer."""
        done, value, changeset = result
        try:
            if changeset is not None:
                self._store.install(changeset)
        except InstallError as error:
            log.critical("%s", error, exc_info=error)
            _fail((done,), EngineError(str(error)))
        if not done.done():
            done.set_result(value)

    def _watch(self) -> None:
        """When the engine does not come back, answer whoever waits for the commit, and those who wait behind it too long."""
        self._watchdog = None
        if self._committing is None:
            return
        loop = asyncio.get_running_loop()
        since, results = self._committing
        left = since + self._stall_s - loop.time()
        self._watchdog = loop.call_later(max(left, RECHECK_S), self._watch)
        if left > 0:
            return
        waited = f"the disk has not confirmed a write for {self._stall_s:g} s"
        self._report(EngineError(waited))
        _fail((done for done, _, _ in results), OutcomeUnknown(f"{waited}; this one may still take effect"))
        latest = loop.time() - self._stall_s
        while self._waiting and self._waiting[0][2] <= latest:
            _fail((self._waiting.popleft()[1],), EngineError(f"{waited}; this one was not begun"))

    def _report(self, error: EngineError | None, cause: BaseException | None = None) -> None:
        """Log once that writing fails, and once that it works again."""
        if error is not None and not self._failing:
            log.error("writes fail until this is mended; reads go on: %s", error, exc_info=cause)
        elif error is None and self._failing:
            log.info("writes work again")
        self._failing = error is not None


def _prepared(store: Store, new: Replacement) -> Tables:
    """The tables of another state, every row of it looked at.  Raises Refused."""
    if len(new.rows) > MAX_ROWS:
        raise Refused(f"the new state has {len(new.rows)} rows; allowed: {MAX_ROWS}")
    try:
        check_index(new.index)
    except ValueError as error:
        raise Refused(str(error)) from None
    try:
        tables = store.tables_of(new.rows)
        for table in tables.values():
            for _ in codec.encode_rows((table.schema, row) for row in table):
                pass
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Refused(f"the new state holds a row of an unknown table or of the wrong type: {error}") from error
    return tables


def _fail(futures: Iterable[Done], error: BaseException) -> None:
    """Answer with an error; a future takes neither StopIteration nor what is meant for the program as a whole."""
    if isinstance(error, StopIteration) or not isinstance(error, Exception):
        wrapped = EngineError(f"the write was not made: {type(error).__name__}")
        wrapped.__cause__ = error
        error = wrapped
    for done in futures:
        if not done.done():
            done.set_exception(error)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: a full one over the rows of a long operation would stop everybody for longer than any step."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _paced(steps: Steps[T]) -> T:
    """Run steps, and give others their turn every few milliseconds."""
    until = time.perf_counter() + TURN_S
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + TURN_S
