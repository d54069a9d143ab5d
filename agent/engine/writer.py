"""The one write path: operations become changesets, the engine keeps them, then they are installed.

Operations that arrive while the engine is busy wait and share the next commit (group
commit): each sees what those before it in the batch do, each has its own index, and
one that fails is taken back alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.state.draft import Changeset, Draft
from pyconsul.agent.state.store import Store

T = TypeVar("T")
Operation: TypeAlias = Callable[[Draft], T]
BATCH = 256  # operations in one commit, so that none waits long for the others


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another state, (table name, row) each, and the index it was written up to."""

    rows: Sequence[tuple[str, Any]]
    index: int


Work: TypeAlias = Operation[Any] | Replacement

log = logging.getLogger("agent.writer")


class Writer:
    """Commits operations one batch at a time."""

    def __init__(self, store: Store, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._store, self._engine, self._clock = store, engine, clock
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    async def commit(self, operation: Operation[T]) -> T:
        """Run an operation, make what it wrote durable, and return its answer.

        Raises what the operation raised (then nothing of it was written), or EngineError.
        """
        answer: T = await self._enqueue(operation)
        return answer

    async def replace(self, rows: Sequence[tuple[str, Any]], index: int) -> int:
        """Put another state in place of all there is, once what waits is written; the index that it stands at from now on.

        Nothing changes when it fails.  Raises EngineError.  A caller that goes away does not stop what was begun.
        """
        new_index: int = await self._enqueue(Replacement(rows, index))
        return new_index

    async def _enqueue(self, work: Work) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        return await done

    async def drain(self) -> None:
        """Wait until nothing is waiting to be written."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        waiting = self._waiting
        while waiting:
            batch: list[tuple[Operation[Any], asyncio.Future[Any]]] = []
            while waiting and len(batch) < BATCH:
                work, done = waiting.popleft()
                if isinstance(work, Replacement):
                    await self._write_batch(batch)
                    await self._replace(work, done)
                    break
                batch.append((work, done))
            else:
                await self._write_batch(batch)

    async def _replace(self, new: Replacement, done: asyncio.Future[Any]) -> None:
        index = max(self._store.index, new.index) + 1  # indexes never fall, so that blocking queries see the change
        try:
            tables = await asyncio.to_thread(self._store.tables_of, new.rows)  # reads go on meanwhile
            await self._engine.replace(new.rows, index)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
            return
        self._store.replace_tables(tables, index)
        if not done.done():
            done.set_result(index)

    async def _write_batch(self, batch: list[tuple[Operation[Any], asyncio.Future[Any]]]) -> None:
        draft = Draft(self._store)
        index, now = self._store.index, self._clock()
        changesets: list[Changeset] = []
        answers: list[tuple[asyncio.Future[Any], Any]] = []
        for operation, done in batch:
            draft.begin(index + 1, now)
            try:
                answer = operation(draft)
            except Exception as error:
                draft.roll_back()
                if not done.done():
                    done.set_exception(error)
                continue
            answers.append((done, answer))
            changeset = draft.finish()
            if changeset:
                changesets.append(changeset)
                index += 1
        await self._keep(changesets, answers)

    async def _keep(self, changesets: list[Changeset], answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
        if changesets:
            try:
                await self._engine.commit(changesets)
            except EngineError as error:
                self._report(error)
                for done, _ in answers:
                    if not done.done():
                        done.set_exception(error)
                return
            self._report(None)
            for changeset in changesets:
                self._store.install(changeset)
        for done, answer in answers:
            if not done.done():
                done.set_result(answer)

    def _report(self, error: EngineError | None) -> None:
        """Say once that writing fails, and once that it works again."""
        if error is not None and not self._failing:
            log.error("writes fail until this is mended; reads go on: %s", error)
        elif error is None and self._failing:
            log.info("writes work again")
        self._failing = error is not None
