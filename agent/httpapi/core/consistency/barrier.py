"""Lets requests wait until the state has every write that was acknowledged before they came.

One barrier serves all requests that wait when it begins.  A barrier that fails is repeated until the requests' time is over:
a change of leaders takes a moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.forwarding.standing import NO_LEADER, Standing
from pyconsul.agent.httpapi.server.contract import PendingResponse, Response
from pyconsul.agent.httpapi.server.wire import text_response

Begun: TypeAlias = Response | PendingResponse | Awaitable[Response]
#: Makes a response when the barrier has passed (None), or has failed.
Answer: TypeAlias = Callable[[EngineError | None], Begun]

INTERNAL_ERROR = "internal error; the agent's log says more"
SLICE = 64  # requests that are answered before others have their turn
SWEEP_S = 0.1  # between two searches for requests whose time is over
GATHER_TURNS = 3  # of the loop: a barrier costs as much time as 20 requests
STUCK_S = 0.5  # after which a barrier no longer keeps the next one waiting
RETRY_S = 0.05, 0.25  # bounds of the random time between a failure and the next barrier

log = logging.getLogger("agent.http")


class _Waiting:
    """A request that waits, until a time of the loop."""

    __slots__ = ("answer", "done", "until")

    def __init__(self, answer: Answer, done: asyncio.Future[Response], until: float) -> None:
        self.answer, self.done, self.until = answer, done, until


class Barrier:
    """The requests of one server that wait for its barrier."""

    def __init__(self, standing: Standing, rng: random.Random) -> None:
        self._standing, self._rng = standing, rng
        self._next: list[_Waiting] = []  # came after the last barrier began
        self._begun: dict[int, list[_Waiting]] = {}  # barriers that have not passed, oldest first
        self._number = 0
        self._may_begin = True  # no barrier is running, nor about to begin
        self._sweeping = False
        self._reason = EngineError(NO_LEADER)
        self._running: set[asyncio.Future[None]] = set()

    def enter(self, answer: Answer, seconds: float) -> PendingResponse:
        """Return the response that `answer` makes once a barrier has passed that began after this call.

        When none does within the seconds, it is called with the reason.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Response] = loop.create_future()
        self._next.append(_Waiting(answer, done, loop.time() + seconds))
        if self._may_begin:
            self._may_begin = False
            loop.call_soon(self._begin_soon, GATHER_TURNS)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(SWEEP_S, self._sweep)
        return PendingResponse(done, _result)

    def _begin_soon(self, turns: int) -> None:
        """Begin after some turns of the loop, for all requests that come until then: clients that got a response send the next."""
        if turns:
            asyncio.get_running_loop().call_soon(self._begin_soon, turns - 1)
        else:
            self._begin()

    def _begin(self) -> None:
        """Begin a barrier for all that wait now."""
        loop = asyncio.get_running_loop()
        self._number += 1
        number = self._number
        self._begun[number], self._next = self._next, []
        try:
            barrier = self._standing.barrier()
        except Exception as error:
            self._failed(number, error)
            return
        if barrier is None:  # no other server is left
            self._passed(number)
            return
        running = asyncio.ensure_future(barrier)
        self._running.add(running)
        running.add_done_callback(partial(self._ended, number, loop.call_later(STUCK_S, self._release, number)))

    def _ended(self, number: int, stuck: asyncio.TimerHandle, ended: asyncio.Future[None]) -> None:
        stuck.cancel()
        self._running.discard(ended)
        if ended.cancelled():
            self._failed(number, EngineError(NO_LEADER))
        elif (error := ended.exception()) is not None:
            self._failed(number, error)
        else:
            self._passed(number)

    def _release(self, number: int) -> None:
        """Let another barrier begin if the latest one is this one, which takes long."""
        if number == self._number:
            self._begin_again()

    def _begin_again(self) -> None:
        self._may_begin = not self._next and not any(self._begun.values())
        if not self._may_begin:
            self._begin()

    def _passed(self, number: int) -> None:
        """Answer all requests that came before a barrier began."""
        passed = [waiting for begun in list(self._begun) if begun <= number for waiting in self._begun.pop(begun)]
        self._deliver(iter(passed))
        if number == self._number:
            self._may_begin = not self._next
            if self._next:
                self._begin_soon(GATHER_TURNS)

    def _failed(self, number: int, error: BaseException) -> None:
        """Keep the reason, and begin again after a moment for those who still wait."""
        if isinstance(error, EngineError):
            self._reason = error
        else:
            log.error("the barrier of reads failed", exc_info=error)
            self._reason = EngineError(NO_LEADER)
        asyncio.get_running_loop().call_later(self._rng.uniform(*RETRY_S), self._release, number)

    def _deliver(self, waiting: Iterator[_Waiting]) -> None:
        for number, one in enumerate(waiting, 1):
            if not one.done.done():
                _answer(one, None)
            if number == SLICE:
                asyncio.get_running_loop().call_soon(self._deliver, waiting)
                return

    def _sweep(self) -> None:
        """End the requests whose time is over."""
        loop = asyncio.get_running_loop()
        now, late = loop.time(), []
        for group in (self._next, *self._begun.values()):
            late += [one for one in group if one.until <= now and not one.done.done()]
            group[:] = [one for one in group if one.until > now and not one.done.done()]
        self._begun = {number: group for number, group in self._begun.items() if group}
        for one in late:
            _answer(one, self._reason)
        self._sweeping = bool(self._next or self._begun)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep)


def _answer(waiting: _Waiting, reason: EngineError | None) -> None:
    try:
        made = waiting.answer(reason)
    except Exception:
        log.exception("a response could not be made")
        made = text_response(500, INTERNAL_ERROR)
    pass_on(made, waiting.done)


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
        try:
            response = complete(source)
        except Exception:
            log.exception("a response could not be made")
            response = text_response(500, INTERNAL_ERROR)
        done.set_result(response)

    def given_up(done: asyncio.Future[Response]) -> None:
        if done.cancelled():
            source.cancel()

    source.add_done_callback(finished)
    done.add_done_callback(given_up)


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
