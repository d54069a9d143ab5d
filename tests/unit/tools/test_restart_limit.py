"""Restart limits: their options, and turns of a runner that works in passes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyconsul.tools.options.connection import CONNECTION
from pyconsul.tools.options.restart_limit import RESTART_LIMIT, RESTART_LIMIT_OPTIONS
from pyconsul.tools.options.settings import Settings, load_settings, parse_flags
from pyconsul.tools.restart_limit import Place, RestartLimit, Turn, Unlimited, restart_limit_of


@pytest.mark.parametrize(
    ("text", "limit"),
    [("a:1", ("a", 1)), ("/service/web/restarts/:12", ("service/web/restarts", 12)), ("a:b:2", ("a:b", 2))],
)
def test_limits(text: str, limit: tuple[str, int]) -> None:
    assert RESTART_LIMIT.kind.convert(text) == limit


@pytest.mark.parametrize(
    "bad", ["", "key", "key:", ":1", "/:1", "key:0", "key:-1", "key:two", "key:1.5", "key:²", 5, True]
)
def test_what_is_no_limit(bad: Any) -> None:
    with pytest.raises(ValueError, match="use key:N"):
        RESTART_LIMIT.kind.convert(bad)


def settings_of(*flags: str) -> Settings:
    options = (*RESTART_LIMIT_OPTIONS, *CONNECTION)
    return load_settings(options, parse_flags(options, flags), {})


def test_what_the_settings_ask_for() -> None:
    rng = random.Random(1)
    assert restart_limit_of(settings_of("-restart-hold", "5s"), rng, "tool") is None
    assert isinstance(restart_limit_of(settings_of("-restart-limit", "a/b:2"), rng, "tool"), RestartLimit)


async def test_no_limit() -> None:
    async with Unlimited().place("app") as place:
        assert place.hold == 0.0


class Gate:
    """A limit that the test opens; `steps`: what it has done."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.steps: list[object] = []

    @asynccontextmanager
    async def place(self, why: str) -> AsyncIterator[Place]:
        self.steps.append(why)
        try:
            await self.open.wait()
            place = Place(5.0)
            yield place
            self.steps.append(place.hold)
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
async def test_a_turn_comes_and_ends(restarted: bool, hold: float) -> None:
    gate, news = Gate(), News()
    turn = Turn(gate, news)
    assert not turn.ask("app")
    gate.open.set()
    await news.next()
    assert turn.ask("app")
    assert turn.ask("app"), "until it is done"
    turn.done(restarted=restarted)
    assert not turn.ask("app"), "the place is being given back"
    await news.next()
    assert gate.steps == ["app", hold, "back"]
    assert not turn.ask("again")
    await news.next()
    assert turn.ask("again")
    await turn.close()
    assert gate.steps[3:] == ["again", "back"]


async def test_a_turn_that_is_not_needed_any_more() -> None:
    gate, news = Gate(), News()
    turn = Turn(gate, news)
    turn.done(restarted=False)
    assert not turn.ask("app")
    await asyncio.sleep(0)
    turn.done(restarted=False)
    await news.next()
    assert gate.steps == ["app", "back"]
    await turn.close()


async def test_without_a_limit_it_is_always_our_turn() -> None:
    turn = Turn(None, News())
    assert turn.ask("app")
    turn.done(restarted=True)
    await turn.close()
    assert turn.ask("app")


async def test_a_turn_that_is_cancelled_before_it_was_asked_for() -> None:
    gate, news = Gate(), News()
    turn = Turn(gate, news)
    assert not turn.ask("app")
    turn.done(restarted=False)
    await news.next()
    assert gate.steps == []
    gate.open.set()
    assert not turn.ask("app")
    await news.next()
    assert turn.ask("app")
    await turn.close()
