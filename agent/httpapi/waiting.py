"""Waits for what has no index: the agent's own services, and events."""

from __future__ import annotations

import asyncio
import random

from pyconsul.agent.httpapi.request import Request, wait_options
from pyconsul.agent.state.watch import Watches

JITTER = 16  # see `blocking`


def deadline(request: Request, rng: random.Random) -> float:
    """When (loop time) a reader has waited enough."""
    _, wait = wait_options(request)
    return asyncio.get_running_loop().time() + wait + rng.random() * wait / JITTER


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
