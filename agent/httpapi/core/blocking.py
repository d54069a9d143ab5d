"""Blocking queries: reads that return when their index passes the caller's.

All clients that ask the same question share one wait: a change is read once and its response is made once, for all of them.
A question on its way to sleep is not read again. https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Iterable

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request, seconds_to_wait, wait_options
from pyconsul.agent.httpapi.core.response import Response, Seen
from pyconsul.agent.state.watches import Watches

JITTER = 16  # waits are prolonged by up to a sixteenth, which spreads the clients' next requests
SLICE = 100  # clients that get their response before others have their turn


class Waiter:
    """One client that waits for an index above `index`."""

    __slots__ = ("done", "index", "question", "request", "timer")

    def __init__(self, question: Question, request: Request, index: int, loop: asyncio.AbstractEventLoop) -> None:
        self.question, self.request, self.index = question, request, index
        self.done: asyncio.Future[Response] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None

    def expire(self) -> None:
        """Respond with the latest response: the time is over."""
        self.question.expire(self)

    def cancelled(self, done: asyncio.Future[Response]) -> None:
        if done.cancelled():
            self.question.leave(self)


class Question:
    """A read that several clients wait for.

    read: reads and makes the response; never fails.
    seen: the last one; `stale` once it may have changed.
    """

    __slots__ = ("_queries", "_replaced", "_scheduled", "key", "read", "seen", "stale", "waiters")

    def __init__(self, queries: BlockingQueries, key: Hashable, read: Callable[[], Seen], seen: Seen) -> None:
        self._queries, self.key, self.read, self.seen = queries, key, read, seen
        self.stale = self._scheduled = False
        self._replaced = queries.watches.replaced
        self.waiters: dict[Waiter, None] = {}
        queries.watches.add(self.wake, seen.topics, seen.prefixes)

    def wake(self) -> None:
        """Note a change; the question is read once the whole commit is installed."""
        self.stale = True
        if not self._scheduled:
            self._scheduled = True
            self._queries.loop.call_soon(self._publish)

    def current(self) -> Seen:
        """Return the current response, read again if it may have changed."""
        if self.stale or not self.seen.shared:
            self._look()
        return self.seen

    def _look(self) -> None:
        watches = self._queries.watches
        watches.remove(self.wake, self.seen.topics, self.seen.prefixes)
        self.seen, self.stale = self.read(), False
        watches.add(self.wake, self.seen.topics, self.seen.prefixes)

    def _publish(self) -> None:
        self._scheduled = False
        if not self.waiters:
            return
        if self.stale:
            self._look()
        watches, seen = self._queries.watches, self.seen
        everybody = watches.closed or watches.replaced != self._replaced or not seen.waits
        self._replaced = watches.replaced
        woken = [waiter for waiter in self.waiters if everybody or seen.index > waiter.index]
        for waiter in woken:
            self.leave(waiter)
        self._queries.deliver(woken, seen.response)

    def expire(self, waiter: Waiter) -> None:
        """Respond to a client whose time is over."""
        seen = self.current()
        self.leave(waiter)
        self._queries.deliver([waiter], seen.response)

    def leave(self, waiter: Waiter) -> None:
        """Remove a client."""
        if waiter.timer is not None:
            waiter.timer.cancel()
        if self.waiters.pop(waiter, self) is None and not self.waiters:
            self._queries.forget(self)


class BlockingQueries:
    """The blocked reads of one agent. `finish` makes the response for one client of what was made for all."""

    def __init__(self, watches: Watches, rng: random.Random, finish: Callable[[Response, Request], Response]) -> None:
        self.watches, self._rng, self._finish = watches, rng, finish
        self._questions: dict[Hashable, Question] = {}
        self.loop: asyncio.AbstractEventLoop

    def find(self, key: Hashable) -> Question | None:
        """Return the question that other clients already wait for."""
        return self._questions.get(key)

    def ask(self, key: Hashable, read: Callable[[], Seen], seen: Seen) -> Question:
        """Add a question whose current response is `seen`."""
        self.loop = asyncio.get_running_loop()
        question = self._questions[key] = Question(self, key, read, seen)
        return question

    def wait(self, question: Question, request: Request, index: int, seconds: float) -> asyncio.Future[Response]:
        """Return the response once the question's index passes `index`, or the latest response at the deadline.

        Returns at once after a restore, whose indexes may be lower.
        """
        loop = self.loop
        waiter = Waiter(question, request, index, loop)
        question.waiters[waiter] = None
        seconds += self._rng.random() * seconds / JITTER
        waiter.timer = loop.call_later(0 if self.watches.closed else seconds, waiter.expire)
        waiter.done.add_done_callback(waiter.cancelled)
        return waiter.done

    def forget(self, question: Question) -> None:
        """Drop a question without clients."""
        self.watches.remove(question.wake, question.seen.topics, question.seen.prefixes)
        if self._questions.get(question.key) is question:
            del self._questions[question.key]

    def rights_changed(self) -> None:
        """Mark every question as stale: permissions have changed."""
        for question in self._questions.values():
            question.stale = True

    def deliver(self, waiters: Iterable[Waiter], response: Response) -> None:
        """Give clients their response, some at a time."""
        waiting = iter(waiters)
        for number, waiter in enumerate(waiting, 1):
            if not waiter.done.done():
                waiter.done.set_result(self._finish(response, waiter.request))
            if number == SLICE:
                self.loop.call_soon(self.deliver, waiting, response)
                return


JITTER = 16  # see `blocking`


def deadline(context: Context, request: Request) -> float:
    """Return the deadline (loop time) of a reader.  Raises HTTPError."""
    _, asked = wait_options(request)
    wait = seconds_to_wait(asked, context.config.default_query_time, context.config.max_query_time)
    return asyncio.get_running_loop().time() + wait + context.rng.random() * wait / JITTER


async def changed(watches: Watches, topic: str, until: float) -> bool:
    """Wait until something happens to a topic (True), or for the time or the agent's end (False)."""
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    watches.add(wake, (topic,))
    try:
        async with asyncio.timeout_at(until):
            await woken
    except TimeoutError:
        return False
    finally:
        watches.remove(wake, (topic,))
    return not watches.closed
