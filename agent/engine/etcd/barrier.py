"""One linearizable read of etcd, shared by all requests that wait at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pyconsul.agent.engine.contract import EngineError


class Barrier:
    """Shares a linearizable read: each caller gets the result of a read that began after its call."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._next: asyncio.Future[int] | None = None  # of the callers that wait for the next read
        self._asked: asyncio.Future[int] | None = None  # of those that wait for the running one
        self._running: asyncio.Task[None] | None = None
        self._is_closed = False

    async def reach(self) -> int:
        """Return the result of the read; raises its exceptions, and EngineError once the barrier is closed."""
        if self._is_closed:
            raise _closed()
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        answer = self._next
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        while self._next is not None:
            answer, self._next = self._next, None
            self._asked = answer
            try:
                index = await self._ask()
            except Exception as error:
                _fail(answer, error)
            else:
                if not answer.done():
                    answer.set_result(index)

    def close(self) -> None:
        """Cancel a running read; all that wait get an EngineError."""
        self._is_closed = True
        if self._running is not None:
            self._running.cancel()
        for answer in (self._asked, self._next):
            if answer is not None:
                _fail(answer, _closed())


def _fail(answer: asyncio.Future[int], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # marks it as retrieved: the callers may be gone


def _closed() -> EngineError:
    return EngineError("the connection to etcd is closed")
