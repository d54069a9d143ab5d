"""Blocking queries wake for every change, read it once for all that ask the same, and leave nothing behind."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from support.eventually import one_turn

from pyconsul.agent.httpapi.core.blocking import SLICE, BlockingQueries
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, Seen
from pyconsul.agent.state.watches import Watches

HOUR = 3600.0  # seconds: a test that waits for it hangs
REQUEST = Request("GET", b"/thing", {})


class Source:
    """Something with an index that can be waited for."""

    def __init__(self, shared: bool = True) -> None:
        self.index, self.reads, self.watches, self.shared = 5, 0, Watches(), shared
        self.waits = True
        self.queries = BlockingQueries(self.watches, Random(1), lambda response, request: response)

    def read(self) -> Seen:
        self.reads += 1
        topics = ("thing",) if self.waits else ()
        return Seen(Response(200, b"%d" % self.index), self.index, topics, shared=self.shared)

    def change(self) -> None:
        self.index += 1
        self.watches.fire(("thing",))

    def ask(self, index: int | None = None, seconds: float = HOUR) -> asyncio.Future[Response]:
        """Return a client, as the application has it wait."""
        question = self.queries.find("q")
        seen = self.read() if question is None else question.current()
        if question is None:
            question = self.queries.ask("q", self.read, seen)
        return self.queries.wait(question, REQUEST, seen.index if index is None else index, seconds)


async def body(waiting: asyncio.Future[Response]) -> bytes:
    return (await waiting).body


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await one_turn()


async def test_one_change_is_read_once_for_all() -> None:
    source = Source()
    clients = [source.ask() for _ in range(1000)]
    assert source.reads == 1
    source.change()
    assert {await body(client) for client in clients} == {b"6"}
    assert source.reads == 2
    assert len(source.watches) == 0
    assert source.queries.find("q") is None


async def test_several_changes_at_once_are_read_once() -> None:
    source = Source()
    client = source.ask()
    source.change()
    source.change()
    assert await body(client) == b"7"
    assert source.reads == 2


async def test_a_response_that_is_not_shared_is_read_again_on_arrival() -> None:
    source = Source(shared=False)
    source.ask()
    source.index = 9  # nobody is told
    client = source.ask(9)
    assert source.reads == 2
    source.change()
    assert await body(client) == b"10"


async def test_a_change_of_nothing_wakes_no_reader() -> None:
    source = Source()
    client = source.ask()
    source.watches.fire(("thing",))
    await turns()
    assert not client.done()
    source.change()
    assert await body(client) == b"6"


async def test_only_those_are_woken_whose_index_is_passed() -> None:
    source = Source()
    first, second = source.ask(5), source.ask(6)
    source.change()
    assert await body(first) == b"6"
    assert not second.done()
    source.change()
    assert await body(second) == b"7"


async def test_a_refusal_ends_every_wait() -> None:
    source = Source()
    clients = [source.ask(5), source.ask(100)]
    source.waits = False
    source.change()
    assert [await body(client) for client in clients] == [b"6", b"6"]
    assert source.queries.find("q") is None


async def test_changed_rights_have_the_next_client_read_again() -> None:
    source = Source()
    source.ask()
    source.queries.rights_changed()
    source.ask()
    assert source.reads == 2


async def test_a_restored_state_wakes_all_readers() -> None:
    source = Source()
    client = source.ask(100)
    source.index = 3
    source.watches.fire_all()
    assert await body(client) == b"3"


async def test_waiting_ends_with_the_agent() -> None:
    source = Source()
    client = source.ask()
    source.watches.close()
    assert await body(client) == b"5"
    assert await body(source.ask()) == b"5"


@pytest.mark.parametrize(("shared", "reads"), [(True, 1), (False, 2)])
async def test_the_time_is_over(shared: bool, reads: int) -> None:
    source = Source(shared)
    assert await body(source.ask(seconds=0.0)) == b"5"
    assert source.reads == reads
    assert len(source.watches) == 0


async def test_a_client_that_goes_away_leaves_nothing() -> None:
    source = Source()
    first, second = source.ask(), source.ask()
    first.cancel()
    await turns()
    assert source.queries.find("q") is not None
    second.cancel()
    await turns()
    assert source.queries.find("q") is None
    assert len(source.watches) == 0


async def test_many_are_answered_some_at_a_time() -> None:
    source = Source()
    clients = [source.ask() for _ in range(2 * SLICE + 1)]
    source.change()
    await turns(1)
    assert sum(client.done() for client in clients) == SLICE
    await asyncio.gather(*clients)
