"""The lag of the event loop, with a loop and a clock that are turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from pyconsul.agent.telemetry.loop_lag import INTERVAL_S, KEPT, LoopLag


class Loop:
    """Keeps the timer that was asked for last."""

    def __init__(self) -> None:
        self.run: Callable[[], None] = lambda: None

    def call_later(self, delay: float, function: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        assert delay == INTERVAL_S
        self.run = lambda: function(*arguments)
        return cast(asyncio.TimerHandle, None)


def test_the_lag_is_the_delay_of_a_timer() -> None:
    now = 100.0
    loop, lag = Loop(), LoopLag(lambda: now)
    lag._schedule(cast(asyncio.AbstractEventLoop, loop))
    assert lag.last_s == lag.max_s == 0
    now += INTERVAL_S + 2
    loop.run()
    assert lag.last_s == lag.max_s == 2
    now += INTERVAL_S
    loop.run()
    assert (lag.last_s, lag.max_s) == (0, 2)
    for _ in range(KEPT):
        now += INTERVAL_S
        loop.run()
    assert lag.max_s == 0
