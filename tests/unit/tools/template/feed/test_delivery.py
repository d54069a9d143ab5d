"""Answers are passed on at once, or held back after an outage until all have come, for a limited time."""

from __future__ import annotations

import asyncio

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.delivery import Delivery
from pyconsul.tools.template.feed.outage import MAX_HOLD_S, Outage

A, B = lookups.key("a"), lookups.key("b")


class Feed:
    """A delivery and what it works on."""

    def __init__(self) -> None:
        self.answers, self.outage, self.news = Answers(), Outage("host:1"), asyncio.Event()
        self.delivery = Delivery(self.answers, self.outage, self.news)
        self.now = asyncio.get_running_loop().time()

    def lose(self) -> None:
        """Begin an outage of both lookups, after which A is answered again."""
        for lookup in (A, B):
            self.outage.over(lookup, self.now)
        for lookup in (A, B):
            self.outage.begin(lookup, ConsulError("refused"), self.now)
        self.outage.over(A, self.now)


async def test_only_a_different_answer_is_news() -> None:
    feed = Feed()
    feed.delivery.deliver(A, 1)
    assert feed.news.is_set()
    assert feed.delivery.take() == {A}
    feed.news.clear()
    feed.delivery.deliver(A, 1)
    assert not feed.news.is_set()
    assert feed.delivery.take() == set()


async def test_answers_are_held_back_until_all_have_come() -> None:
    feed = Feed()
    feed.lose()
    feed.delivery.deliver(A, 2)
    feed.delivery.release()
    assert feed.delivery.holds
    assert not feed.answers.known(A)
    feed.outage.over(B, feed.now)
    feed.delivery.deliver(B, 3)
    assert feed.delivery.take() == {A, B}


async def test_the_hold_has_an_end() -> None:
    feed = Feed()
    feed.now -= MAX_HOLD_S
    feed.lose()
    assert not feed.delivery.holds
    feed.delivery.deliver(A, 2)
    assert feed.delivery.take() == {A}


async def test_the_timer_releases_what_is_held_back() -> None:
    feed = Feed()
    feed.lose()
    feed.delivery.deliver(A, 2)
    feed.outage.forget(B)
    feed.delivery.limit_hold(feed.now - MAX_HOLD_S)
    async with asyncio.timeout(10):
        await feed.news.wait()
    assert feed.delivery.take() == {A}


async def test_an_unused_lookup_is_not_released() -> None:
    feed = Feed()
    feed.lose()
    feed.delivery.deliver(A, 2)
    feed.delivery.forget(A)
    feed.outage.forget(B)
    feed.delivery.release()
    assert feed.delivery.take() == set()


async def test_files_are_passed_on_during_an_outage() -> None:
    feed = Feed()
    feed.lose()
    feed.delivery.put(B, 1)
    assert feed.delivery.take() == {B}
