"""The publisher of shared answers: what it writes, and what it does when Consul does not take it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.tools.consul.client import ConsulError, RetryPolicy
from pyconsul.tools.template.dedup import publisher as module
from pyconsul.tools.template.dedup.document import unpack
from pyconsul.tools.template.dedup.election import Election
from pyconsul.tools.template.dedup.publisher import Publisher
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import Lookup

A = lookups.key("a")


class Held:
    """A key that is held; `fails`: what the next writes raise."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.fails: list[ConsulError] = []

    async def write(self, key: str, value: bytes) -> bool:
        if self.fails:
            raise self.fails.pop(0)
        self.written.append(value)
        return True


def answers(value: str) -> dict[Lookup, Any]:
    return {A: A.decode([{"Key": "a", "Value": value, "ModifyIndex": 1}])}


@asynccontextmanager
async def publishing(held: Held) -> AsyncIterator[Publisher]:
    publisher = Publisher(cast(Election, held), "shared/a", "host-1", random.Random(1))
    try:
        yield publisher
    finally:
        publisher.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await one_turn()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MIN_INTERVAL_S", 0.0)
    monkeypatch.setattr(module, "_RETRY", RetryPolicy(attempts=0, backoff=0.0))


async def test_changed_answers_are_written_with_the_name_of_the_host() -> None:
    held = Held()
    async with publishing(held) as publisher:
        publisher.publish(answers("MQ=="))
        await until(lambda: held.written)
        publisher.publish(answers("Mg=="))
        await until(lambda: len(held.written) == 2)
    assert unpack(held.written[0]).host == "host-1"
    assert held.written[0] != held.written[1]


async def test_equal_answers_are_written_again_only_on_demand() -> None:
    held = Held()
    async with publishing(held) as publisher:
        publisher.publish(answers("MQ=="))
        await until(lambda: held.written)
        publisher.publish(answers("MQ=="))
        for _ in range(50):
            await one_turn()
        assert len(held.written) == 1
        publisher.repeat()
        publisher.publish(answers("MQ=="))
        await until(lambda: len(held.written) == 2)


async def test_a_failed_write_is_repeated() -> None:
    held = Held()
    held.fails = [ConsulError("no leader", 500)] * 2
    async with publishing(held) as publisher:
        publisher.publish(answers("MQ=="))
        await until(lambda: held.written)
    assert len(held.written) == 1


async def test_answers_that_are_too_many_are_replaced_by_the_problem() -> None:
    held = Held()
    held.fails = [ConsulError("too large", 413)]
    async with publishing(held) as publisher:
        publisher.publish(answers("MQ=="))
        await until(lambda: held.written)
    assert "too many" in unpack(held.written[0]).problem
