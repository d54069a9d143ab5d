"""A client of a real etcd that loses requests and answers, lets requests arrive late, and breaks watches, as it is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal

from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.errors import Unreachable

#: Fault of a request: none, it never arrives, its response is lost, or it arrives after the caller was told of its loss.
Fault = Literal["", "request lost", "answer lost", "late"]
LATE_S = 0.005


class FaultyClient(Client):
    """`faults`: those of the next requests, in order."""

    def __init__(self, endpoint: str) -> None:
        super().__init__([endpoint])
        self.faults: deque[Fault] = deque()
        self._broken: asyncio.Event | None = None
        self._late: set[asyncio.Task[Any]] = set()

    def break_watch(self) -> None:
        """End the running watch, as when its member dies."""
        if self._broken is not None:
            self._broken.set()

    async def range(self, request: Any) -> Any:
        return await self._faulty(super().range, request)

    async def read(self, request: Any) -> Any:
        return await self._faulty(super().read, request)

    async def write(self, request: Any, timeout_s: float | None = None) -> Any:
        return await self._faulty(super().write, request)

    async def _faulty(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "late":
            task = asyncio.ensure_future(self._send_later(send, request))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        if fault in ("late", "request lost"):
            raise Unreachable(f"a fault of the test: {fault}")
        response = await send(request)
        if fault == "answer lost":
            raise Unreachable(f"a fault of the test: {fault}")
        return response

    async def _send_later(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> None:
        await asyncio.sleep(LATE_S)
        await send(request)

    async def watch(self, requests: AsyncIterator[Any], silence_s: float) -> AsyncGenerator[Any, None]:
        self._broken = asyncio.Event()
        async with aclosing(super().watch(requests, silence_s)) as stream:
            while True:
                following = asyncio.ensure_future(anext(stream))
                broken = asyncio.ensure_future(self._broken.wait())
                try:
                    await asyncio.wait([following, broken], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    broken.cancel()
                    if not following.done():
                        following.cancel()
                        await asyncio.gather(following, return_exceptions=True)
                if self._broken.is_set():
                    raise Unreachable("a fault of the test: the watch is broken")
                yield following.result()

    async def settle(self) -> None:
        """Wait until every late request has arrived."""
        await asyncio.gather(*self._late, return_exceptions=True)

    async def close(self) -> None:
        await self.settle()
        await super().close()
