"""Blocking queries of the clients of one agent: identical ones are asked once at the servers.

Each client has its own index and time limit.  A server that goes away is replaced by another one; the clients notice nothing.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing, suppress

from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.forwarding.follow import AskRead, News, follow
from pyconsul.agent.rpc.forwarding.question import Question, index_of


class _Shared:
    """One query, and the clients that wait for a response with an index above theirs."""

    def __init__(self, index: int) -> None:
        self.index = index  # of the last response, or that of the first client
        self.waiting: dict[asyncio.Future[Response | None], int] = {}
        self.task: asyncio.Task[None] | None = None

    def deliver(self, news: News) -> bool:
        """Give a response to the clients that it is new for; return whether no client waits any more."""
        self.index = news.index or self.index
        for done, index in self.waiting.items():
            if not done.done() and (not news.index or news.index > index):
                done.set_result(news.response)
        return all(done.done() for done in self.waiting)


class SharedQueries:
    """The blocking queries of one agent."""

    def __init__(self, ask: AskRead, rng: random.Random) -> None:
        self._ask, self._rng = ask, rng
        self._queries: dict[tuple[bytes, str], _Shared] = {}
        self._is_closed = False

    async def wait(self, question: Question, index: int, seconds: float) -> Response:
        """Return the response once its index passes `index`; after the time, what a plain read returns.  Raises RPCError."""
        key = question.key
        shared = self._queries.get(key)
        if shared is not None and index < shared.index:
            # Not the last response: this client may have written since.  The server has one at once.
            return await self._ask(question.after(index, seconds))
        if shared is None:
            shared = self._queries[key] = _Shared(index)
            shared.task = asyncio.get_running_loop().create_task(self._follow(question, shared))
        done: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        shared.waiting[done] = index
        response = None
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(0 if self._is_closed else seconds):
                    response = await done
        finally:
            self._leave(key, shared, done)
        return response if response is not None else await self._at_the_end(question, index)

    def close(self) -> None:
        """End the waiting queries with their present responses: the agent stops."""
        self._is_closed = True
        for shared in self._queries.values():
            for done in shared.waiting:
                if not done.done():
                    done.set_result(None)

    async def _at_the_end(self, question: Question, index: int) -> Response:
        response = await self._ask(question.plain())
        if 0 < index_of(response) < index:  # a server that is behind, in stale mode
            response = await self._ask(question.current())
        return response

    def _leave(self, key: tuple[bytes, str], shared: _Shared, done: asyncio.Future[Response | None]) -> None:
        shared.waiting.pop(done, None)
        if not shared.waiting and self._queries.get(key) is shared:
            del self._queries[key]
            if shared.task is not None:
                shared.task.cancel()

    async def _follow(self, question: Question, shared: _Shared) -> None:
        try:
            async with aclosing(follow(self._ask, question, shared.index, self._rng)) as all_news:
                async for news in all_news:
                    if isinstance(news, News) and shared.deliver(news):
                        return
        except Exception as error:
            for done in shared.waiting:
                if not done.done():
                    done.set_exception(error)
        finally:
            if self._queries.get(question.key) is shared:
                del self._queries[question.key]
