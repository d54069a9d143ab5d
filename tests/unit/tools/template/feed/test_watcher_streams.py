"""Lookups that share streams: what is asked, what is handed out, what happens when a stream ends."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.tools.consul.client import Connection, ConsulClient, ConsulError, RetryPolicy
from pyconsul.tools.template.feed import lookups, watcher
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.watcher import Watcher

AT_ONCE = RetryPolicy(attempts=0, backoff=0.0, max_backoff=0.0)
A, B = lookups.key("a"), lookups.key("b")
Answer = tuple[Any, int] | ConsulError


class Stream:
    """One stream as the agent sees it."""

    def __init__(self, body: bytes) -> None:
        self.asked = {query["Path"]: query for query in json.loads(body)["Queries"]}
        self.said: asyncio.Queue[list[bytes] | ConsulError] = asyncio.Queue()
        self.open = True

    def say(self, *lines: dict[str, Any]) -> None:
        self.said.put_nowait([json.dumps(line).encode() for line in lines])

    def tell(self, *values: tuple[str, str, int]) -> None:
        """Keys with their values and indexes."""
        self.say(*(self.answer(*value) for value in values))

    def answer(self, key: str, value: str, index: int) -> dict[str, Any]:
        body = [{"Key": key, "Value": value, "ModifyIndex": index}]
        return {"ID": self.asked[f"/v1/kv/{key}"]["ID"], "Index": index, "Status": 200, "Body": body}


class Agent:
    """Takes the place of a client; `refusal`: why there is no stream."""

    max_stale = 0.0
    connection = Connection(address="agent:1")

    def __init__(self, refusal: ConsulError | None = None) -> None:
        self.refusal = refusal
        self.without = False  # streams, as a plain request tells
        self.held: set[str] = set()  # paths whose first answer is held back
        self.let_go = asyncio.Event()
        self.streams: list[Stream] = []
        self.plain: Callable[[str], Answer] = lambda path: ConsulError("nobody asks this")
        self.asked: list[tuple[str, int]] = []
        self.posts = 0
        self.gone = asyncio.Event()
        self.spared = ""  # the path whose query goes on when it is gone

    async def lacks(self, path: str) -> bool:
        return self.without

    async def lines(self, path: str, body: bytes, patience: float) -> AsyncGenerator[list[bytes], None]:
        self.posts += 1
        if self.refusal:
            raise self.refusal
        stream = Stream(body)
        self.streams.append(stream)
        try:
            while True:
                said = await stream.said.get()
                if isinstance(said, ConsulError):
                    raise said
                yield said
        finally:
            stream.open = False

    async def blocking(
        self, path: str, params: Any, index: int, wait: float = 0.0, on_filtered: Any = None
    ) -> tuple[Any, int]:
        self.asked.append((path, index))
        if path in self.held and not index:
            await self.let_go.wait()
        if index:
            await (asyncio.Event() if path == self.spared else self.gone).wait()
        answer = ConsulError("gone") if self.gone.is_set() else self.plain(path)
        if isinstance(answer, ConsulError):
            raise answer
        return answer


class World:
    """A watcher and its agent."""

    def __init__(self, agent: Agent | None = None) -> None:
        self.agent, self.answers, self.news = agent or Agent(), Answers(), asyncio.Event()
        client = cast(ConsulClient, self.agent)
        self.watcher = Watcher(client, AT_ONCE, self.answers, self.news, rng=random.Random(1))

    def text(self, lookup: Lookup) -> str:
        return str(self.answers.latest(lookup).Value)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await one_turn()

    async def stream(self, number: int) -> Stream:
        await self.until(lambda: len(self.agent.streams) > number)
        return self.agent.streams[number]

    async def running(self) -> Stream:
        """Both keys are known: "1"."""
        self.watcher.watch([A, B])
        stream = await self.stream(0)
        stream.tell(("a", "MQ==", 5), ("b", "MQ==", 6))
        stream.say({})
        await self.until(lambda: self.answers.known(B))
        assert self.watcher.take() == {A, B}
        return stream


async def test_lookups_of_one_pass_share_a_stream() -> None:
    world = World()
    world.watcher.watch([A])
    world.watcher.watch([B, A])
    assert set((await world.stream(0)).asked) == {"/v1/kv/a", "/v1/kv/b"}
    assert len(world.agent.streams) == 1
    await world.watcher.close()
    assert not world.agent.streams[0].open


async def test_an_agent_without_streams_is_asked_as_ever() -> None:
    world = World(Agent(ConsulError("POST: 404", 404)))
    world.agent.plain = lambda path: ([{"Key": "x", "Value": "MQ=="}], 7)
    world.watcher.watch([A, B])
    await world.until(lambda: world.answers.known(A) and world.answers.known(B))
    assert sorted(world.agent.asked) == [("/v1/kv/a", 0), ("/v1/kv/b", 0)]
    assert world.watcher.reachable
    await world.watcher.close()


async def test_an_agent_that_lacks_streams_is_not_asked_for_one() -> None:
    agent = Agent()
    agent.without, agent.plain = True, lambda path: ([{"Key": "x", "Value": "MQ=="}], 7)
    world = World(agent)
    world.watcher.watch([A, B])
    await world.until(lambda: world.answers.known(A) and world.answers.known(B))
    assert agent.posts == 0
    await world.watcher.close()


async def test_first_answers_come_before_queries_for_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_MIN_INTERVAL_S", 0.0)
    agent = Agent()
    agent.without, agent.held, agent.plain = True, {"/v1/kv/b"}, lambda path: ([{"Key": "x", "Value": "MQ=="}], 7)
    world = World(agent)
    world.watcher.watch([A, B])
    await world.until(lambda: world.answers.known(A))
    for _ in range(100):
        await one_turn()
    assert ("/v1/kv/a", 7) not in agent.asked
    agent.let_go.set()
    await world.until(lambda: ("/v1/kv/a", 7) in agent.asked and ("/v1/kv/b", 7) in agent.asked)
    await world.watcher.close()


class Without(World):
    """An agent that has no streams, and may go and come back."""

    def __init__(self) -> None:
        super().__init__(Agent(ConsulError("POST: 404", 404)))
        self.agent.plain = lambda path: ([{"Key": "x", "Value": "MQ=="}], 7)

    async def waiting(self) -> None:
        """Both keys are waited for in blocking queries."""
        await self.until(lambda: {("/v1/kv/a", 7), ("/v1/kv/b", 7)} <= set(self.agent.asked))

    async def outage(self, refusal: ConsulError | None) -> None:
        """It goes; what is there after it refuses streams for this reason."""
        self.agent.gone.set()
        await self.until(lambda: not self.watcher.reachable)
        self.agent.asked, self.agent.refusal = [], refusal
        self.agent.gone.clear()


async def test_the_agent_after_an_outage_may_have_streams() -> None:
    world = Without()
    world.watcher.watch([A, B])
    await world.waiting()
    await world.outage(None)
    stream = await world.stream(0)
    assert sorted(query["Index"] for query in stream.asked.values()) == [0, 7], "one has been answered"
    stream.tell(("a", "Mg==", 8), ("b", "Mg==", 8))
    await world.until(lambda: world.text(A) == world.text(B) == "2")
    assert world.watcher.reachable
    assert world.agent.posts == 2
    assert not any(index for _, index in world.agent.asked), "no query waits beside the stream"
    assert not world.watcher._budget._holders
    await world.watcher.close()


async def test_streams_are_asked_for_once_after_each_outage() -> None:
    world = Without()
    world.watcher.watch([A, B])
    for outages in range(3):
        await world.waiting()
        assert world.agent.posts == 1 + outages
        await world.outage(ConsulError("POST: 404", 404))
    world.watcher.watch([lookups.key("c")])
    await world.until(lambda: ("/v1/kv/c", 7) in world.agent.asked)
    assert world.agent.posts == 4
    await world.watcher.close()


async def test_waiting_lookups_are_not_disturbed() -> None:
    world = Without()
    world.agent.spared = B.path
    world.watcher.watch([A, B])
    await world.waiting()
    await world.outage(ConsulError("POST: 404", 404))
    await world.until(lambda: (A.path, 7) in world.agent.asked)
    assert world.agent.posts == 2
    assert B.path not in {path for path, _ in world.agent.asked}
    await world.watcher.close()


async def test_an_agent_without_streams_after_one_that_has_them_is_asked_once() -> None:
    world = Without()
    world.agent.refusal = None
    stream = await world.running()
    world.agent.refusal = ConsulError("POST: 404", 404)
    stream.said.put_nowait(ConsulError("gone"))
    await world.waiting()
    assert world.agent.posts == 2
    await world.watcher.close()


async def test_a_key_that_is_not_there_is_an_answer() -> None:
    world = World()
    world.watcher.watch([A])
    stream = await world.stream(0)
    stream.say({"ID": 1, "Index": 4, "Status": 404})
    await world.until(lambda: world.answers.known(A))
    assert world.answers.latest(A) is None
    stream.tell(("a", "Mg==", 5))
    await world.until(lambda: world.answers.latest(A) is not None)
    await world.watcher.close()


async def test_nothing_partial_is_handed_out_after_an_outage() -> None:
    world = World()
    first = await world.running()
    first.said.put_nowait(ConsulError("gone"))
    second = await world.stream(1)
    assert not world.watcher.reachable
    assert {query["Index"] for query in second.asked.values()} == {0}
    second.tell(("a", "Mg==", 9))
    await world.until(second.said.empty)
    for _ in range(5):
        await one_turn()
    assert world.watcher.take() == set()
    assert world.text(A) == "1"
    second.tell(("b", "Mg==", 9))
    await world.until(lambda: world.text(B) == "2")
    assert world.text(A) == "2"
    assert world.watcher.take() == {A, B}
    assert world.watcher.reachable
    await world.watcher.close()


async def test_a_refusal_does_not_hold_up_the_rest() -> None:
    world = World()
    first = await world.running()
    world.agent.plain = lambda path: ConsulError(f"GET {path}: 403", 403)
    first.said.put_nowait(ConsulError("gone"))
    second = await world.stream(1)
    place = second.asked["/v1/kv/b"]["ID"]
    second.say(second.answer("a", "Mg==", 9), {"ID": place, "Index": 0, "Status": 403, "Text": "denied"})
    await world.until(lambda: world.watcher.take() == {A})
    assert world.text(A) == "2"
    assert world.watcher.reachable
    await world.watcher.close()


async def test_a_refused_lookup_returns_to_a_stream_with_its_first_answer() -> None:
    world = World()
    world.watcher.watch([A])
    world.agent.plain = lambda path: ([{"Key": "a", "Value": "MQ=="}], 7)
    (await world.stream(0)).say({"ID": 1, "Index": 0, "Status": 500, "Text": "no"})
    assert (await world.stream(1)).asked["/v1/kv/a"]["Index"] == 7
    assert world.text(A) == "1"
    await world.watcher.close()


async def test_one_stream_replaces_many() -> None:
    world = World()
    for number in range(9):
        world.watcher.watch([lookups.key(f"k{number}")])
        stream = await world.stream(number)
        if number < 8:
            stream.tell((f"k{number}", "MQ==", 10 + number))
            stream.say({})
            await world.until(stream.said.empty)
    last = world.agent.streams[-1]
    assert {path: query["Index"] for path, query in last.asked.items()} == {
        **{f"/v1/kv/k{number}": 10 + number for number in range(8)},
        "/v1/kv/k8": 0,
    }
    assert all(stream.open for stream in world.agent.streams)  # until the new one has told all
    last.say({})
    await world.until(lambda: sum(stream.open for stream in world.agent.streams) == 1)
    assert last.open
    await world.watcher.close()


async def test_a_loss_while_streams_are_exchanged_is_a_loss_of_all() -> None:
    world = World()
    for number in range(9):
        world.watcher.watch([lookups.key(f"k{number}")])
        await world.stream(number)
    world.agent.streams[0].said.put_nowait(ConsulError("gone"))
    again = await world.stream(9)
    assert {query["Index"] for query in again.asked.values()} == {0}
    assert len(again.asked) == 9
    await world.watcher.close()


async def test_the_age_of_the_data_in_an_outage() -> None:
    world = World()
    loop = asyncio.get_running_loop()
    assert world.watcher.data_age(loop.time()) is None
    stream = await world.running()
    assert world.watcher.data_age(loop.time() + 100) == 0.0
    world.agent.refusal = ConsulError("refused")
    stream.said.put_nowait(ConsulError("silence", silent=45.0))
    await world.until(lambda: not world.watcher.reachable)
    age = world.watcher.data_age(loop.time() + 100)
    assert age is not None
    assert 145.0 <= age < 155.0
    await world.watcher.close()


async def test_senseless_answers_do_not_end_the_watch(caplog: Any) -> None:
    world = World()
    stream = await world.running()
    stream.say({"ID": stream.asked["/v1/kv/a"]["ID"], "Index": 8, "Status": 200, "Body": [5]})
    stream.tell(("b", "Mg==", 9))
    await world.until(lambda: world.text(B) == "2")
    assert world.text(A) == "1"
    await world.watcher.close()


async def test_giving_up_names_the_lookup() -> None:
    agent = Agent(ConsulError("refused"))
    world = World(agent)
    never = RetryPolicy(enabled=False)
    watcher = Watcher(cast(ConsulClient, agent), never, world.answers, world.news, rng=random.Random(1))
    watcher.watch([A])
    await world.news.wait()
    assert str(watcher.failure) == "key a: refused"
    await watcher.close()
