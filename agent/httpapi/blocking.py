"""Blocking queries: a read answered at once, or when its index passes the caller's.

https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from __future__ import annotations

import asyncio
import random

from pyconsul.agent.httpapi.answer import Query, Result
from pyconsul.agent.state.watch import Watches

JITTER = 16  # a wait is prolonged by up to a sixteenth, so that sleepers do not all come back at once


async def wait(
    query: Query, result: Result, index: int, seconds: float, watches: Watches, rng: random.Random
) -> Result:
    """Wait until the query's index passes the caller's, and return that result; or the last one, when the time is over.

    When another state takes the place of this one (a snapshot is restored), what it says is returned at once.
    """
    loop, replaced = asyncio.get_running_loop(), watches.replaced
    deadline = loop.time() + seconds + rng.random() * seconds / JITTER
    result = query.read()  # the caller's may be older than this task: what changed since wakes nobody
    while result.index <= index and not watches.closed and watches.replaced == replaced:
        if not await _changed(result, watches, loop, deadline):
            return query.read()
        result = query.read()
    return result


async def _changed(result: Result, watches: Watches, loop: asyncio.AbstractEventLoop, deadline: float) -> bool:
    """Wait until something that the result depends on changes (True), or for the deadline (False)."""
    changed: asyncio.Future[bool] = loop.create_future()

    def wake() -> None:
        if not changed.done():
            changed.set_result(True)

    def give_up() -> None:
        if not changed.done():
            changed.set_result(False)

    watches.add(wake, result.topics, result.prefixes)
    timer = loop.call_at(deadline, give_up)
    try:
        return await changed
    finally:
        timer.cancel()
        watches.remove(wake, result.topics, result.prefixes)
