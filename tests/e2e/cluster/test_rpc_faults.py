"""Requests of all kinds while servers stop and start: none is served twice or after NotSent, and nothing is left over."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

from support.eventually import eventually_async
from support.rpc_agents import Agent, Network, get, network
from support.rpc_pair import endless

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import Lost, NotSent, Peer
from pyconsul.agent.rpc.home import HomeConnection

SECONDS = 3.0
SERVERS, CLIENTS = ("s1", "s2", "s3"), ("web1", "web2", "web3")


class Story:
    """The agents, and what became of each request."""

    def __init__(self, net: Network, seed: int) -> None:
        self.net, self.rng = net, random.Random(seed)
        self.servers: dict[str, Agent] = {}
        self.served: Counter[bytes] = Counter()
        self.outcomes: dict[bytes, str] = {}
        self._until = time.monotonic() + SECONDS

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    async def serve(self, request: HTTPRequest, _: Peer) -> Response:
        self.served[request.headers[b"x-id"]] += 1
        await asyncio.sleep(self.rng.choice([0, 0, 0.001, 0.05]))
        return Response(200, stream=endless()) if request.target == b"/stream" else Response(200, request.body)

    async def ask(self, agent: Callable[[], Agent], targets: tuple[str, ...]) -> None:
        """Send one request after the other to any of some agents; some are given up early.  agent: chooses who sends it."""
        while not self.is_over:
            number = b"%d" % len(self.outcomes)
            self.outcomes[number] = "cancelled"
            request = get(self.rng.choice(["/", "/stream"]), bytes(self.rng.choice([0, 10, 100_000, 600_000])))
            request = HTTPRequest("PUT", request.target, {b"x-id": number}, request.body)
            try:
                async with asyncio.timeout(self.rng.choice([0.01, 0.1, 10])):
                    await self._carry_out(agent(), f"id-{self.rng.choice(targets)}", request)
                self.outcomes[number] = "answered"
            except NotSent:
                self.outcomes[number] = "not sent"
                await asyncio.sleep(0.01)
            except Lost:
                self.outcomes[number] = "lost"
            except TimeoutError:
                pass

    async def _carry_out(self, agent: Agent, node_id: str, request: HTTPRequest) -> None:
        response = await agent.peers.ask(node_id, request)
        if response.stream is None:
            assert response.body == request.body
            return
        for _ in range(self.rng.randrange(5)):
            await anext(response.stream)

    async def restart_servers(self) -> None:
        """Stop one server after the other, in order or not, and start it again."""
        while not self.is_over:
            await asyncio.sleep(self.rng.random() * 0.5)
            name = self.rng.choice(SERVERS)
            await self.servers[name].stop(self.rng.choice([0.0, 0.2]))
            await asyncio.sleep(self.rng.random() * 0.2)
            self.servers[name] = await self.net.server(name, self.serve)


async def test_servers_that_stop_and_start_under_load() -> None:
    async with network() as net:
        story = Story(net, seed=random.randrange(1 << 32))
        for name in SERVERS:
            story.servers[name] = await net.server(name, story.serve)
        clients = [await net.client(name, story.serve) for name in CLIENTS]
        homes = [HomeConnection(client.peers, net.servers) for client in clients]
        for home in homes:
            home.start()

        def any_server() -> Agent:
            return story.rng.choice(list(story.servers.values()))

        def any_client() -> Agent:
            return story.rng.choice(clients)

        await asyncio.gather(
            story.restart_servers(),
            *(story.ask(any_client, SERVERS) for _ in range(24)),
            *(story.ask(any_server, (*SERVERS, *CLIENTS)) for _ in range(4)),
        )
        for number, outcome in story.outcomes.items():
            assert story.served[number] <= (outcome != "not sent"), (number, outcome)
            assert story.served[number] or outcome != "answered"
        assert {"answered", "not sent", "cancelled"} <= set(story.outcomes.values())
        agents = [*clients, *story.servers.values()]
        await eventually_async(lambda: not sum(agent.peers.requests_under_way for agent in agents))
        for home in homes:
            await home.stop()
    await eventually_async(lambda: len(asyncio.all_tasks()) == 1)
