"""Repeats writes of which nothing was kept because the servers had no leader at that moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial

from pyconsul.agent.httpapi.core.consistency.barrier import Begun, pass_on
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
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Response] = loop.create_future()
    until = loop.time() + seconds

    def attempt(made: Begun) -> None:
        if not done.done():
            response: asyncio.Future[Response] = loop.create_future()
            response.add_done_callback(made_known)
            done.add_done_callback(partial(_cancel, response))
            pass_on(made, response)

    def made_known(made: asyncio.Future[Response]) -> None:
        if done.done() or made.cancelled():
            done.cancel()
            return
        response = made.result()
        # There may be a leader since the write was refused.
        lacked_leader = response.body == _NO_LEADER or not (standing.knows_leader and standing.serves("write"))
        if not (isinstance(response, Unwritten) and lacked_leader):
            done.set_result(response)
        elif loop.time() >= until:
            done.set_result(no_leader())
        else:
            loop.call_later(rng.uniform(*RETRY_S), lambda: attempt(begin()))

    attempt(made)
    return PendingResponse(done, lambda done: done.result())


def _cancel(response: asyncio.Future[Response], done: asyncio.Future[Response]) -> None:
    if done.cancelled():
        response.cancel()
