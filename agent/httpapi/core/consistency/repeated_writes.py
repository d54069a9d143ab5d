"""Repeats writes of which nothing was kept because the servers had no leader at that moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from pyconsul.agent.httpapi.core.consistency.barrier import Begun, completed
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Standing
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response

_NO_LEADER = NO_LEADER.encode()
RETRY_S = 0.05, 0.25  # bounds of the random time between two attempts


class Unwritten(Response):
    """The response to a write of which nothing was kept: the engine has refused it, or was not reached."""

    __slots__ = ()


def repeated(
    begin: Callable[[], Begun],
    standing: Standing,
    seconds: float,
    rng: random.Random,
    no_leader: Callable[[], Response],
) -> PendingResponse | Response:
    """Return the response to a write, which is begun again for so many seconds while a leader is missing.

    no_leader: makes the response for the end of that time.
    """
    made = begin()
    if isinstance(made, Response) and not isinstance(made, Unwritten):
        return made
    attempts = _Attempts(begin, standing, seconds, rng, no_leader)
    attempts.follow(made)
    return PendingResponse(attempts.done, _result)


class _Attempts:
    """The attempts of one write.  A class, since functions that know each other would leave work for the garbage collector."""

    __slots__ = ("_begin", "_no_leader", "_rng", "_source", "_standing", "_until", "done")

    def __init__(
        self,
        begin: Callable[[], Begun],
        standing: Standing,
        seconds: float,
        rng: random.Random,
        no_leader: Callable[[], Response],
    ) -> None:
        self._begin, self._standing = begin, standing
        self._rng, self._no_leader = rng, no_leader
        self._source: asyncio.Future[Any] | None = None  # of the running attempt
        loop = asyncio.get_running_loop()  # a system call each time
        self._until = loop.time() + seconds
        self.done: asyncio.Future[Response] = loop.create_future()
        self.done.add_done_callback(self._cancel)

    def follow(self, made: Begun) -> None:
        """Take what an attempt has begun."""
        if isinstance(made, Response):
            self._finish(made)
            return
        complete: Callable[[asyncio.Future[Any]], Response] = _result
        if isinstance(made, PendingResponse):
            source, complete = made.future, made.complete
        else:
            source = asyncio.ensure_future(made)
        self._source = source
        source.add_done_callback(partial(self._ended, complete))

    def _ended(self, complete: Callable[[asyncio.Future[Any]], Response], source: asyncio.Future[Any]) -> None:
        self._source = None
        if self.done.done():
            return
        if source.cancelled():
            self.done.cancel()
            return
        self._finish(completed(complete, source))

    def _finish(self, response: Response) -> None:
        """Respond, or begin again after a moment."""
        standing, loop = self._standing, self.done.get_loop()
        # There may be a leader since the write was refused.
        lacked_leader = response.body == _NO_LEADER or not (standing.knows_leader and standing.serves("write"))
        if not (isinstance(response, Unwritten) and lacked_leader):
            self.done.set_result(response)
        elif loop.time() >= self._until:
            self.done.set_result(self._no_leader())
        else:
            loop.call_later(self._rng.uniform(*RETRY_S), self._attempt)

    def _attempt(self) -> None:
        if not self.done.done():
            self.follow(self._begin())

    def _cancel(self, done: asyncio.Future[Response]) -> None:
        if done.cancelled() and self._source is not None:
            self._source.cancel()


def _result(done: asyncio.Future[Response]) -> Response:
    return done.result()
