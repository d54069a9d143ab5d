"""Waits for what has no index: the agent's own services, and events."""

from __future__ import annotations

import asyncio

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request, seconds_to_wait, wait_options
from pyconsul.agent.state.watches import Watches

JITTER = 16  # see `blocking`


def deadline(context: Context, request: Request) -> float:
    """When (loop time) a reader has waited enough.  Raises HTTPError."""
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
