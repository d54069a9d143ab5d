"""Waiting for a condition that must come true, without saying how soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds until something that must happen counts as not happening.
PATIENCE = 30.0
_PAUSE_S = 0.02


def eventually(
    condition: Callable[[], T], what: str | Callable[[], str] = "it did not happen", *, patience: float = PATIENCE
) -> T:
    """Return the first true value of a condition; fail after `patience` seconds with the text `what`."""
    latest = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < latest, what if isinstance(what, str) else what()
        time.sleep(_PAUSE_S)
    return found


async def eventually_async(condition: Callable[[], T | Awaitable[T]], *, patience: float = PATIENCE) -> T:
    """Likewise on the event loop; the condition may be a coroutine function."""
    async with asyncio.timeout(patience):
        while True:
            found = condition()
            value = await found if isinstance(found, Awaitable) else found
            if value:
                return value
            await asyncio.sleep(_PAUSE_S)


async def one_turn() -> None:
    """Let each ready task of the event loop run once; no time passes."""
    await asyncio.sleep(0)
