"""The end of an agent: exit statuses, and how long it waits for the leave of its pool."""

from __future__ import annotations

import asyncio

import pytest
from support.eventually import one_turn

from pyconsul.agent.runtime import process
from pyconsul.agent.runtime.process import Ending


class Pools:
    """Pools that are left when the test says so."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.is_asked = False

    async def leave_pools(self) -> None:
        self.is_asked = True
        await self.left.wait()


async def test_without_a_leave_the_agent_ends_at_once() -> None:
    ending, pools = Ending(), Pools()
    ending.signal(False)
    await ending.wait()
    assert await ending.leave(pools) == 1
    assert not pools.is_asked


async def test_a_stop_has_its_own_status_and_the_first_counts() -> None:
    ending, pools = Ending(), Pools()
    ending.stop(1)
    ending.stop(0)
    assert await ending.leave(pools) == 1
    assert not pools.is_asked


async def test_a_graceful_end_waits_for_the_leave() -> None:
    ending, pools = Ending(), Pools()
    ending.signal(True)
    leaving = asyncio.ensure_future(ending.leave(pools))
    await one_turn()
    await one_turn()
    assert pools.is_asked
    assert not leaving.done()
    pools.left.set()
    assert await leaving == 0


async def test_a_second_signal_ends_the_leave() -> None:
    ending, pools = Ending(), Pools()
    ending.signal(True)
    leaving = asyncio.ensure_future(ending.leave(pools))
    await one_turn()
    ending.signal(True)
    assert await leaving == 1


async def test_a_leave_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "LEAVE_TIMEOUT_S", 0.0)
    ending, pools = Ending(), Pools()
    ending.signal(True)
    assert await ending.leave(pools) == 1
    assert "Timeout on graceful leave" in caplog.text
