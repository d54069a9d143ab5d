"""Founding a cluster, with kills, lost messages and partitions in any order: never two clusters, and one in the end."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import msgspec
import pytest
from support.eventually import one_turn

from pyconsul.agent.cluster.colleagues import Colleagues, NoAnswer
from pyconsul.agent.cluster.founding.ballot import Proposal
from pyconsul.agent.cluster.founding.founder import Founder
from pyconsul.agent.cluster.messages import (
    BallotState,
    Message,
    RefusalAsked,
    ServerState,
    StateAsked,
    VoteAsked,
)
from pyconsul.agent.cluster.record import Record, RecordFile
from pyconsul.agent.gossip.consul.tags import Server

SEEDS = 300


class MemoryRecord:
    """A record that survives the kills of its server."""

    def __init__(self) -> None:
        self.record = Record()

    def change(self, **fields: Any) -> None:
        self.record = msgspec.structs.replace(self.record, **fields)


class Sent:
    """A request on its way, then its answer."""

    def __init__(self, world: World, target: int, message: Message) -> None:
        self.world, self.target, self.message = world, target, message
        self.answer: object = None
        self.done: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def step(self) -> None:
        """Deliver the request, or the answer."""
        if self.answer is None:
            self.answer = self.world.answer(self.target, self.message)
            self.world.sent.append(self)
        elif not self.done.done():
            self.done.set_result(self.answer)

    def lose(self) -> None:
        if not self.done.done():
            self.done.set_exception(NoAnswer("lost"))
            self.done.exception()


class World:
    """Servers that expect `expect`; each sees some of the others."""

    def __init__(self, count: int, expect: int) -> None:
        self.expect = expect
        self.servers = [
            Server(f"s{number}", f"id-{number}", "dc1", "127.0.0.1", 8300, 0, "1.21.4", False, expect, False)
            for number in range(count)
        ]
        self.records = [MemoryRecord() for _ in self.servers]
        self.founded: dict[int, Proposal] = {}
        self.sights: list[set[int]] = [set(range(count)) for _ in self.servers]
        self.sent: list[Sent] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.founders = [self._founder(number) for number in range(count)]

    def _founder(self, number: int) -> Founder:
        world = self

        class Wire:
            async def ask(self, node_id: str, message: Message, _: type[Any]) -> Any:
                sent = Sent(world, int(node_id.removeprefix("id-")), message)
                world.sent.append(sent)
                return await sent.done

        def seen() -> list[Server]:
            return [self.servers[other] for other in sorted(self.sights[number] | {number})]

        file = cast(RecordFile, self.records[number])
        return Founder(self.servers[number], self.expect, file, seen, cast(Colleagues, Wire()), lambda: None)

    def answer(self, target: int, message: Message) -> object:
        founder, record = self.founders[target], self.records[target].record
        if isinstance(message, StateAsked):
            return ServerState(record.cluster_id, bool(record.cluster_id), not record.cluster_id)
        if record.cluster_id:
            return BallotState(cluster_id=record.cluster_id)
        if isinstance(message, VoteAsked):
            return founder.asked_to_vote(message)
        assert isinstance(message, RefusalAsked)
        return founder.asked_to_refuse(message)

    def run(self, number: int) -> None:
        """Let a server take a step, if it is not in the middle of one."""
        task = self.tasks.get(number)
        if task is None or task.done():
            self.tasks[number] = asyncio.get_running_loop().create_task(self._step(number))

    async def _step(self, number: int) -> None:
        if self.records[number].record.cluster_id:
            return
        if await self.founders[number].run():
            vote = self.records[number].record.ballot.vote
            assert vote is not None
            for other in self.founded.values():
                assert not set(other.electorate) & set(vote.electorate), "two clusters"
            self.founded[number] = vote

    def kill(self, number: int) -> None:
        """Kill a server, and start it again: it forgets everything but its record."""
        if task := self.tasks.pop(number, None):
            task.cancel()
        self.founders[number] = self._founder(number)

    async def settle(self) -> None:
        for _ in range(3):
            await one_turn()

    async def heal(self) -> None:
        """Let everybody see everybody, and deliver all messages, until a cluster is founded."""
        self.sights = [set(range(len(self.servers))) for _ in self.servers]
        for _ in range(10 * len(self.servers)):
            for number in range(len(self.servers)):
                self.run(number)
            await self.settle()
            while self.sent:
                self.sent.pop(0).step()
                await self.settle()
            if self.founded:
                return


def act(world: World, rng: random.Random) -> None:
    """Do one random thing."""
    number, chance = rng.randrange(len(world.servers)), rng.random()
    if chance < 0.2 or not world.sent:
        world.run(number)
    elif chance < 0.85:
        world.sent.pop(rng.randrange(len(world.sent))).step()
    elif chance < 0.86:
        world.sent.pop(rng.randrange(len(world.sent))).lose()
    elif chance < 0.88:
        sent = rng.choice(world.sent)
        if sent.answer is None:
            world.answer(sent.target, sent.message)  # it arrives twice
    elif chance < 0.89:
        world.kill(number)
    else:
        count = min(len(world.servers), rng.randint(world.expect - 1, world.expect + 1))
        world.sights[number] = set(rng.sample(range(len(world.servers)), count))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_never_two_clusters_and_one_in_the_end(seed: int) -> None:
    rng = random.Random(seed)

    async def play() -> None:
        expect = rng.choice([1, 2, 2, 3])
        world = World(expect + rng.randint(0, 2), expect)
        everybody = range(len(world.servers))
        world.sights = [set(rng.sample(everybody, expect)) for _ in everybody]
        for _ in range(rng.randint(0, 400)):
            act(world, rng)
            await one_turn()
            await one_turn()
        await world.heal()
        for task in world.tasks.values():
            if task.done() and not task.cancelled():
                task.result()
        assert world.founded

    asyncio.run(play())


async def founded_by(world: World) -> int:
    await world.heal()
    (number,) = world.founded
    return number


async def test_the_smallest_node_id_founds() -> None:
    assert await founded_by(World(3, 3)) == 0


async def test_servers_that_expect_different_numbers_found_nothing(caplog: Any) -> None:
    world = World(3, 3)
    world.servers[1] = msgspec.structs.replace(world.servers[1], expect=2)
    await world.heal()
    assert not world.founded
    assert "Member has a conflicting expect value. All nodes should expect the same number.: member=s1" in caplog.text


async def test_a_vote_for_a_dead_candidate_is_taken_back_when_another_server_refuses_it() -> None:
    world = World(4, 3)
    candidate = Proposal("id-9", 1, ("id-0", "id-1", "id-9"), "s9")
    assert world.founders[0].asked_to_vote(VoteAsked(candidate)).votes
    assert await founded_by(world) == 0


async def test_servers_that_all_have_voted_wait_for_the_founder(caplog: Any) -> None:
    world = World(2, 2)
    candidate = Proposal("id-9", 1, ("id-0", "id-9"), "s9")
    assert world.founders[0].asked_to_vote(VoteAsked(candidate)).votes
    await world.heal()
    assert not world.founded
    assert "waiting for server s9 (node ID id-9): it has the vote of this server, and may have founded" in caplog.text
