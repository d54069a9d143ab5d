"""How many lookups may hold a connection of their own."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from pyconsul.tools.consul.client import ConsulClient, ConsulError
from pyconsul.tools.template.feed import connection_budget as crowds
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.connection_budget import ConnectionBudget


class Agent:
    """Takes the place of a client; `about`: what it says about itself."""

    def __init__(self, about: Any) -> None:
        self.about = about
        self.asked = 0

    async def request(self, path: str, params: Any, wait: float = 0.0) -> tuple[Any, Any]:
        assert path == "/v1/agent/self"
        self.asked += 1
        if isinstance(self.about, ConsulError):
            raise self.about
        return self.about, {}


def limited(connections: int) -> dict[str, Any]:
    return {"DebugConfig": {"HTTPMaxConnsPerClient": connections}}


async def seated(agent: Agent, count: int = 2000) -> int:
    crowd = ConnectionBudget(cast(ConsulClient, agent), random.Random(1))
    return sum([await crowd.acquire(lookups.key(str(number))) for number in range(count)])


@pytest.mark.parametrize(
    ("about", "seats"),
    [
        (limited(200), 120),
        (limited(400), 240),
        (limited(5000), 1000),
        (limited(0), 1000),
        (limited(-1), 1000),
        ({"DebugConfig": {"Limits": {"HTTPMaxConnsPerClient": 300}}}, 180),
        ({}, 120),
        (ConsulError("no right to know", 403), 120),
    ],
)
async def test_seats_are_few_whatever_the_agent_allows(about: Any, seats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_open_files", lambda: 100_000)
    agent = Agent(about)
    assert await seated(agent) == seats
    assert agent.asked == 1


async def test_open_files_are_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_open_files", lambda: 150)
    assert await seated(Agent(limited(0))) == 150


async def test_few_lookups_do_not_read_the_limit() -> None:
    agent = Agent(limited(10))
    assert await seated(agent, 100) == 100
    assert agent.asked == 0


async def test_a_seat_is_kept_until_it_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_open_files", lambda: 100_000)
    crowd = ConnectionBudget(cast(ConsulClient, Agent(limited(200))), random.Random(1))
    found = [await crowd.acquire(lookups.key(str(number))) for number in range(121)]
    assert found == [True] * 120 + [False]
    assert await crowd.acquire(lookups.key("0"))
    crowd.release(lookups.key("0"))
    assert await crowd.acquire(lookups.key("120"))
    assert not await crowd.acquire(lookups.key("0"))
