"""Streams in both directions at once, under a random schedule, against what was sent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st
from support.eventually import one_turn
from support.rpc_agents import get
from support.rpc_pair import Pair

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Peer


class Exchange:
    """One request with a streamed body and its response: both are told by a seed, and compared at the end."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, random.Random(seed)
        self.received = bytearray()
        self.answered = bytearray()

    def parts(self, salt: int) -> list[bytes]:
        rng = random.Random(self.seed * 1000 + salt)
        return [rng.randbytes(rng.choice([0, 1, 10, 1000, 70_000, 300_000])) for _ in range(rng.randrange(5))]

    async def upload(self) -> AsyncIterator[bytes]:
        for part in self.parts(1):
            await self.pause()
            yield part

    async def download(self) -> AsyncIterator[bytes]:
        for part in self.parts(2):
            await self.pause()
            yield part

    async def pause(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await one_turn()

    async def serve(self, request: HTTPRequest) -> Response:
        assert request.stream is not None
        async for part in request.stream:
            self.received += part
            await self.pause()
        return Response(200, stream=self.download())

    async def ask(self, pair: Pair, is_back: bool) -> None:
        connection = pair.far if is_back else pair.near
        response = await connection.ask(get(f"/{self.seed}", stream=self.upload()))
        assert response.stream is not None
        async for part in response.stream:
            self.answered += part
            await self.pause()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.booleans()), min_size=1, max_size=8, unique_by=lambda one: one[0]),
    st.integers(0, 999),
)
def test_streams_in_both_directions_arrive_as_they_were_sent(requests: list[tuple[int, bool]], schedule: int) -> None:
    exchanges = {seed: Exchange(seed) for seed, _ in requests}
    rng = random.Random(schedule)

    async def serve(request: HTTPRequest, _: Peer) -> Response:
        return await exchanges[int(request.target[1:])].serve(request)

    async def scenario() -> None:
        pair = Pair(serve)
        tasks = [asyncio.ensure_future(exchanges[seed].ask(pair, is_back)) for seed, is_back in requests]
        while not all(task.done() for task in tasks):
            if rng.random() < 0.7:
                pair.pass_on(rng.choice([1, 100, 100_000, 1 << 20]))
            if rng.random() < 0.7:
                pair.pass_back(rng.choice([1, 100, 100_000, 1 << 20]))
            await one_turn()
        for task in tasks:
            task.result()
        await pair.settle()
        assert pair.in_flight == (0, 0)

    asyncio.run(scenario())
    for exchange in exchanges.values():
        assert bytes(exchange.received) == b"".join(exchange.parts(1))
        assert bytes(exchange.answered) == b"".join(exchange.parts(2))
