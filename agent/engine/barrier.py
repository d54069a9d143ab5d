"""One read of the engine's index, shared by all that wait for the state to be current at that moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from pyconsul.agent.engine.contract import NO_LEADER, Engine, EngineError, Passed
from pyconsul.agent.engine.follower import Follower
from pyconsul.agent.state.store import Store

INSTALL_S = 5.0  # that a barrier waits until its index is installed
GATHER_TURNS = 3  # of the loop before a barrier begins: it costs as much time as 20 requests
MAX_RUNNING = 2  # barriers at a time: the second one covers those that came after the first began
STUCK_S = 0.5  # after which a barrier no longer counts as running
SLICE = 64  # of those that wait are called before others have their turn

log = logging.getLogger("agent.engine")


class ReadBarrier:
    """Those that wait until the state of one server is current."""

    def __init__(self, engine: Engine, store: Store, follower: Follower) -> None:
        self._engine, self._store, self._follower = engine, store, follower
        self._next: list[Passed] = []  # came after the last barrier began
        self._begun: dict[int, list[Passed]] = {}  # by the number of the barrier, oldest first
        self._number = 0
        self._running: set[int] = set()  # numbers of barriers, without those that take long
        self._is_due = False  # a barrier is about to begin
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self, passed: Passed) -> None:
        """Call `passed` as soon as a barrier has passed, or has failed, that began after this call."""
        self._next.append(passed)
        self._begin_soon()

    def reach(self) -> asyncio.Future[None]:
        """Return a future with the same meaning as `enter`."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def passed(error: EngineError | None) -> None:
            if reached.done():
                return
            if error is None:
                reached.set_result(None)
            else:
                reached.set_exception(error)
                reached.exception()  # marks it as retrieved: the caller may be gone

        self.enter(passed)
        return reached

    def _begin_soon(self) -> None:
        if not self._is_due and len(self._running) < MAX_RUNNING:
            self._is_due = True
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()  # a system call each time
            loop.call_soon(self._gather, loop, GATHER_TURNS)

    def _gather(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        """Begin after some turns of the loop, for all that come until then: clients that got a response send the next request."""
        if turns:
            loop.call_soon(self._gather, loop, turns - 1)
            return
        self._is_due = False
        self._number += 1
        self._running.add(self._number)
        self._begun[self._number], self._next = self._next, []
        task = loop.create_task(self._run(self._number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, number: int) -> None:
        stuck = asyncio.get_running_loop().call_later(STUCK_S, self._release, number)
        failure: EngineError | None = EngineError(NO_LEADER)
        try:
            index = await self._engine.barrier()
            if self._store.index < index:
                await self._follower.reach(index, INSTALL_S)
            failure = None
        except EngineError as error:
            log.debug("a barrier has failed: %s", error)
        except Exception:
            log.exception("the barrier of reads failed")
        finally:
            stuck.cancel()
            self._ended(number, failure)
            self._release(number)

    def _release(self, number: int) -> None:
        """Let another barrier begin: one has ended, or takes long."""
        self._running.discard(number)
        if self._next:
            self._begin_soon()

    def _ended(self, number: int, failure: EngineError | None) -> None:
        """Call those of a barrier; when it has passed, those of earlier ones, too."""
        if failure is None:
            ended = [passed for begun in list(self._begun) if begun <= number for passed in self._begun.pop(begun)]
        else:
            ended = self._begun.pop(number, [])
        self._call(iter(ended), failure)

    def _call(self, ended: Iterator[Passed], failure: EngineError | None) -> None:
        for count, passed in enumerate(ended, 1):
            try:
                passed(failure)
            except Exception:
                log.exception("a request that has waited for a barrier failed")
            if count == SLICE:
                asyncio.get_running_loop().call_soon(self._call, ended, failure)
                return
