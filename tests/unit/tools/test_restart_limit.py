"""Restart limits: their options, and the gate of a runner that works in passes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.tools.options.connection import CONNECTION
from pyconsul.tools.options.restart_limit import RESTART_LIMIT, RESTART_LIMIT_OPTIONS
from pyconsul.tools.options.settings import Settings, load_settings, parse_flags
from pyconsul.tools.restart_limit import RestartGate, RestartLimit, RestartSlot, Unlimited, restart_limit_of


@pytest.mark.parametrize(
    ("text", "limit"),
    [("a:1", ("a", 1)), ("/service/web/restarts/:12", ("service/web/restarts", 12)), ("a:b:2", ("a:b", 2))],
)
def test_limits(text: str, limit: tuple[str, int]) -> None:
    assert RESTART_LIMIT.kind.convert(text) == limit


@pytest.mark.parametrize(
    "bad", ["", "key", "key:", ":1", "/:1", "key:0", "key:-1", "key:two", "key:1.5", "key:²", 5, True]
)
def test_invalid_limits(bad: Any) -> None:
    with pytest.raises(ValueError, match="use key:N"):
        RESTART_LIMIT.kind.convert(bad)


def settings_of(*flags: str) -> Settings:
    options = (*RESTART_LIMIT_OPTIONS, *CONNECTION)
    return load_settings(options, parse_flags(options, flags), {})


def test_the_limit_of_the_settings() -> None:
    rng = random.Random(1)
    assert restart_limit_of(settings_of("-restart-hold", "5s"), rng, "tool") is None
    assert isinstance(restart_limit_of(settings_of("-restart-limit", "a/b:2"), rng, "tool"), RestartLimit)


async def test_no_limit() -> None:
    async with Unlimited().slot("app") as slot:
        assert slot.hold_s == 0.0


class ManualLimit:
    """A limit that the test opens; `steps`: what it has done."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.steps: list[object] = []

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[RestartSlot]:
        self.steps.append(name)
        try:
            await self.open.wait()
            slot = RestartSlot(5.0)
            yield slot
            self.steps.append(slot.hold_s)
        finally:
            self.steps.append("back")


class News:
    """Counts its calls, and can be waited for."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def __call__(self) -> None:
        self.event.set()

    async def next(self) -> None:
        async with asyncio.timeout(20):
            await self.event.wait()
        self.event.clear()


@pytest.mark.parametrize(("restarted", "hold"), [(True, 5.0), (False, 0.0)])
async def test_a_gate_opens_and_closes(restarted: bool, hold: float) -> None:
    limit, news = ManualLimit(), News()
    restarts = RestartGate(limit, news)
    assert not restarts.request("app")
    limit.open.set()
    await news.next()
    assert restarts.request("app")
    assert restarts.request("app"), "until it is released"
    restarts.release(restarted=restarted)
    assert not restarts.request("app"), "the slot is being freed"
    await news.next()
    assert limit.steps == ["app", hold, "back"]
    assert not restarts.request("again")
    await news.next()
    assert restarts.request("again")
    await restarts.close()
    assert limit.steps[3:] == ["again", "back"]


async def test_a_request_is_withdrawn() -> None:
    limit, news = ManualLimit(), News()
    restarts = RestartGate(limit, news)
    restarts.release(restarted=False)
    assert not restarts.request("app")
    await one_turn()
    restarts.release(restarted=False)
    await news.next()
    assert limit.steps == ["app", "back"]
    await restarts.close()


async def test_without_a_limit_the_gate_is_open() -> None:
    restarts = RestartGate(None, News())
    assert restarts.request("app")
    restarts.release(restarted=True)
    await restarts.close()
    assert restarts.request("app")


async def test_a_request_is_withdrawn_before_the_limit_sees_it() -> None:
    limit, news = ManualLimit(), News()
    restarts = RestartGate(limit, news)
    assert not restarts.request("app")
    restarts.release(restarted=False)
    await news.next()
    assert limit.steps == []
    limit.open.set()
    assert not restarts.request("app")
    await news.next()
    assert restarts.request("app")
    await restarts.close()
