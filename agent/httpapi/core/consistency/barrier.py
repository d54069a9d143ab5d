"""Lets requests wait until the state has every write that was acknowledged before they came.

A barrier that fails is repeated until the requests' time is over: a change of leaders takes a moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeAlias

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Standing
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response
from pyconsul.agent.httpapi.server.wire import text_response

Begun: TypeAlias = Response | PendingResponse | Awaitable[Response]
#: Makes a response when the barrier has passed (None), or has failed.
Answer: TypeAlias = Callable[[EngineError | None], Begun]

INTERNAL_ERROR = "internal error; the agent's log says more"
SWEEP_S = 0.1  # between two searches for requests whose time is over
RETRY_S = 0.05, 0.25  # bounds of the random time between a failure and the next barrier

log = logging.getLogger("agent.http")


class _Waiting(Protocol):
    """A request that waits, until a time of the loop."""

    until: float

    def is_over(self) -> bool:
        """Return whether its client has gone away."""

    def proceed(self, reason: EngineError | None) -> None:
        """Respond to it: the barrier has passed, or has failed for so long."""


class _Pending:
    """A request whose response is made by `answer`."""

    __slots__ = ("answer", "done", "until")

    def __init__(self, answer: Answer, done: asyncio.Future[Response], until: float) -> None:
        self.answer, self.done, self.until = answer, done, until

    def is_over(self) -> bool:
        return self.done.done()

    def proceed(self, reason: EngineError | None) -> None:
        try:
            made = self.answer(reason)
        except Exception:
            log.exception("a response could not be made")
            made = text_response(500, INTERNAL_ERROR)
        pass_on(made, self.done)


class Kept:
    """A request for a response that is kept as bytes; needs no future."""

    __slots__ = ("_is_over", "_respond", "until")

    def __init__(self, respond: Callable[[EngineError | None], None], until: float) -> None:
        self._respond, self.until = respond, until
        self._is_over = False

    def cancel(self) -> None:
        """Do not respond any more."""
        self._is_over = True

    def is_over(self) -> bool:
        return self._is_over

    def proceed(self, reason: EngineError | None) -> None:
        self._respond(reason)


class Barrier:
    """The requests of one server that wait for its barrier."""

    def __init__(self, standing: Standing, rng: random.Random) -> None:
        self._standing, self._rng = standing, rng
        self._waiting: set[_Waiting] = set()
        self._failed: list[_Waiting] = []  # wait for another barrier to begin
        self._reason = EngineError(NO_LEADER)
        self._sweeping = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs; asking for it is a system call each time."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        return loop

    def enter(self, answer: Answer, seconds: float) -> PendingResponse:
        """Return the response that `answer` makes once a barrier has passed that began after this call.

        When none does within the seconds, it is called with the reason.
        """
        loop = self.loop
        done: asyncio.Future[Response] = loop.create_future()
        self._hold(_Pending(answer, done, loop.time() + seconds))
        return PendingResponse(done, _result)

    def enter_kept(self, respond: Callable[[EngineError | None], None], seconds: float) -> Kept:
        """Call `respond` as `enter` calls its answer, unless what is returned is canceled."""
        kept = Kept(respond, self.loop.time() + seconds)
        self._hold(kept)
        return kept

    def close(self) -> None:
        """Respond to the requests for kept responses with an error: the agent stops."""
        for waiting in [waiting for waiting in self._waiting if isinstance(waiting, Kept)]:
            self._end(waiting, self._reason)

    def _hold(self, waiting: _Waiting) -> None:
        self._waiting.add(waiting)
        self._standing.after_barrier(partial(self._ended, waiting))
        if not self._sweeping:
            self._sweeping = True
            self.loop.call_later(SWEEP_S, self._sweep)

    def _ended(self, waiting: _Waiting, error: EngineError | None) -> None:
        """The barrier of a request has ended; after an error another one begins after a moment."""
        if error is None:
            self._end(waiting, None)
            return
        self._reason = error
        if not self._failed:
            self.loop.call_later(self._rng.uniform(*RETRY_S), self._retry)
        self._failed.append(waiting)

    def _retry(self) -> None:
        failed, self._failed = self._failed, []
        for waiting in failed:
            if waiting in self._waiting and not waiting.is_over():
                self._standing.after_barrier(partial(self._ended, waiting))

    def _end(self, waiting: _Waiting, reason: EngineError | None) -> None:
        """Respond to a request, unless that has been done."""
        if waiting in self._waiting:
            self._waiting.discard(waiting)
            if not waiting.is_over():
                waiting.proceed(reason)

    def _sweep(self) -> None:
        """End the requests whose time is over."""
        now = self.loop.time()
        for waiting in [one for one in self._waiting if one.until <= now or one.is_over()]:
            self._end(waiting, self._reason)
        self._sweeping = bool(self._waiting)
        if self._sweeping:
            self.loop.call_later(SWEEP_S, self._sweep)


def pass_on(made: Begun, done: asyncio.Future[Response]) -> None:
    """Let a future have a response as soon as it is made; its cancellation ends the making.  `made` never raises."""
    if isinstance(made, Response):
        done.set_result(made)
        return
    if isinstance(made, PendingResponse):
        source: asyncio.Future[Any] = made.future
        complete = made.complete
    else:
        source, complete = asyncio.ensure_future(made), _result

    def finished(source: asyncio.Future[Any]) -> None:
        if done.done():
            return
        if source.cancelled():
            done.cancel()
            return
        done.set_result(completed(complete, source))

    def given_up(done: asyncio.Future[Response]) -> None:
        if done.cancelled():
            source.cancel()

    source.add_done_callback(finished)
    done.add_done_callback(given_up)


def completed(complete: Callable[[asyncio.Future[Any]], Response], source: asyncio.Future[Any]) -> Response:
    """Return the response that a finished future stands for; an error is logged."""
    try:
        return complete(source)
    except Exception:
        log.exception("a response could not be made")
        return text_response(500, INTERNAL_ERROR)


def _result(done: asyncio.Future[Response]) -> Response:
    return done.result()


def with_news(made: Begun, index: int, without: Callable[[], Begun]) -> Begun:
    """Return the response to a blocking query; if its time is over without news, that of `without`."""
    if isinstance(made, Response):
        return made
    first: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def ended(first: asyncio.Future[Response]) -> None:
        if done.done() or first.cancelled():
            done.cancel()
        elif _index(first.result()) == index:
            pass_on(without(), done)
        else:
            done.set_result(first.result())

    def given_up(done: asyncio.Future[Response]) -> None:
        if done.cancelled():
            first.cancel()

    first.add_done_callback(ended)
    done.add_done_callback(given_up)
    pass_on(made, first)
    return PendingResponse(done, _result)


def _index(response: Response) -> int:
    return next((int(value) for name, value in response.headers if name == b"X-Consul-Index"), 0)
