"""The events of the log page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from pyconsul.agent.ui.pages.local.log import events_of


def test_the_lines_are_closed_when_the_viewer_leaves() -> None:
    closed: list[str] = []

    async def lines(number: int) -> AsyncIterator[bytes]:
        try:
            for at in range(number):
                yield b"line %d\n" % at
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append("closed")

    async def leave_after(events: int, number: int) -> None:
        async with aclosing(events_of(lines(number), "info")) as shown:
            for _ in range(events):
                await anext(shown)
        assert closed == ["closed"]

    for events, number in ((1, 0), (1, 1), (2, 1), (2, 5)):
        asyncio.run(leave_after(events, number))
        closed.clear()
