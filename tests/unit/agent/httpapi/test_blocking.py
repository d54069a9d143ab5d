"""Blocking queries wake for every change, also for one that comes before they have begun to wait."""

from __future__ import annotations

import asyncio
from random import Random

from pyconsul.agent.httpapi.answer import Query, Result
from pyconsul.agent.httpapi.blocking import wait
from pyconsul.agent.state.watch import Watches

HOUR = 3600.0  # seconds: a test that waits for it hangs


class Source:
    """Something with an index that can be waited for."""

    def __init__(self) -> None:
        self.index, self.reads, self.watches = 5, 0, Watches()
        self.query = Query(self.read)

    def read(self) -> Result:
        self.reads += 1
        return Result(self.index, self.index, ("thing",))

    def change(self) -> None:
        self.index += 1
        self.watches.fire(("thing",))

    def waiting(self, seconds: float = HOUR) -> asyncio.Task[Result]:
        return asyncio.create_task(wait(self.query, self.read(), self.index, seconds, self.watches, Random(1)))


async def test_a_change_before_the_wait_begins_is_seen() -> None:
    source = Source()
    waiting = source.waiting()
    source.change()
    assert (await waiting).index == 6


async def test_a_change_while_waiting_is_seen() -> None:
    source = Source()
    waiting = source.waiting()
    await asyncio.sleep(0)
    source.change()
    assert (await waiting).index == 6


async def test_what_changes_nothing_goes_on_waiting() -> None:
    source = Source()
    waiting = source.waiting()
    await asyncio.sleep(0)
    source.watches.fire(("thing",))
    await asyncio.sleep(0)
    assert not waiting.done()
    source.change()
    assert (await waiting).index == 6


async def test_nobody_waits_for_an_agent_that_ends() -> None:
    source = Source()
    waiting = source.waiting()
    source.watches.close()
    assert (await waiting).index == 5
    assert (await source.waiting()).index == 5


async def test_the_time_is_over() -> None:
    source = Source()
    assert (await source.waiting(0.0)).index == 5
    assert len(source.watches) == 0
