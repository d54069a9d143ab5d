"""Runs long work on the event loop in turns, so that others are served in between."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

from pyconsul.agent.common.steps import Steps

T = TypeVar("T")
TURN_S = 0.005  # seconds of work after which others have their turn


async def in_turns(steps: Steps[T]) -> T:
    """Run all steps, and return the generator's value."""
    until = time.perf_counter() + TURN_S
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + TURN_S
