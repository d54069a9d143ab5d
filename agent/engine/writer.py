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
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.engine.contract import Engine, EngineError
from pyconsul.agent.state.draft import Changeset, Draft
from pyconsul.agent.state.store import Store

T = TypeVar("T")
Operation: TypeAlias = Callable[[Draft], T]
BATCH = 256  # operations in one commit, so that none waits long for the others

log = logging.getLogger("agent.writer")


class Writer:
    """Commits operations one batch at a time."""

    def __init__(self, store: Store, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._store, self._engine, self._clock = store, engine, clock
        self._waiting: deque[tuple[Operation[Any], asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    async def commit(self, operation: Operation[T]) -> T:
        """Run an operation, make what it wrote durable, and return its answer.

        Raises what the operation raised (then nothing of it was written), or EngineError.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        return await done

    async def drain(self) -> None:
        """Wait until nothing is waiting to be written."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _write(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            await self._write_batch(batch)

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
