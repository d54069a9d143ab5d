"""Requests for another agent: by way of the servers, authorized where they are carried out, never in a circle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from support.eventually import one_turn
from support.http_api import Api
from support.remote_servers import Access
from support.scripted_pool import ScriptedPool, client, server

from pyconsul.agent.gossip.consul.tags import Server, server_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.remote.agents import OtherAgents
from pyconsul.agent.rpc.contract import Lost, NotSent, Peer


class Machine:
    """An agent: its API, and its connections to others.  asked: by whom, and what."""

    def __init__(self, world: World, name: str, is_server: bool, own: dict[str, str]) -> None:
        self.world, self.name, self.is_server = world, name, is_server
        self.connected: set[str] = set()
        self.asked: list[str] = []
        pool = ScriptedPool(world.members[name], *(one for other, one in world.members.items() if other != name))
        self.api = Api(pool, world.access.resolver if world.access else None)
        self.api.context.agents = OtherAgents(
            self, world, pool, lambda token: own.get(token, ""), node_id=f"id-{name}", is_server=is_server
        )

    def find(self, name: str) -> Peer | None:
        key = name.lower()
        return Peer(f"id-{key}", key, "dc1", self.world.machines[key].is_server) if key in self.connected else None

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        name = node_id.removeprefix("id-")
        target = self.world.machines[name]
        if (failure := self.world.failures.get((self.name, name))) is not None:
            raise failure
        if not target.is_server and name not in self.connected:
            raise NotSent(f"agent {name} is not connected")
        target.asked.append(self.name)
        arrived = Request(request.method, request.target, request.headers, request.body, "10.0.0.9")
        arrived.origin = self.name
        return await respond(target.api, arrived)

    async def request(self, target: str, method: str = "GET", token: str = "", body: bytes = b"") -> Response:
        headers = {b"x-consul-token": token.encode()} if token else {}
        return await respond(self.api, Request(method, target.encode(), headers, body))


class World:
    """Servers s1 to s3 and client agents c1 to c3; c1 is connected to s1, c2 to s2, c3 to none."""

    def __init__(self, access: Access | None = None, **own: dict[str, str]) -> None:
        self.access = access
        self.members: dict[str, Member] = {name: server(name) for name in ("s1", "s2", "s3")}
        self.members |= {name: client(name) for name in ("c1", "c2", "c3")}
        self.failures: dict[tuple[str, str], Exception] = {}
        self.machines: dict[str, Machine] = {}
        for name in self.members:
            self.machines[name] = Machine(self, name, name.startswith("s"), own.get(name, {}))
        self.connect("c1", "s1")
        self.connect("c2", "s2")

    def connect(self, one: str, other: str) -> None:
        self.machines[one].connected.add(other)
        self.machines[other].connected.add(one)

    def all(self) -> list[Server]:
        servers = [server_of(member) for member in self.members.values()]
        return [one for one in servers if one is not None]

    def find(self, node_id: str) -> Server | None:
        return next((one for one in self.all() if one.node_id == node_id), None)

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        return lambda: None


async def respond(api: Api, request: Request) -> Response:
    begun = api.app.begin(request)
    response: Any = await begun if isinstance(begun, Awaitable) else begun
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize("first", ["s1", "s2", "s3", "c1", "c2", "c3"])
@pytest.mark.parametrize("name", ["s1", "s3", "c1", "c2", "C2"])
async def test_a_request_is_carried_out_by_the_agent_that_it_names(first: str, name: str) -> None:
    world = World()
    response = await world.machines[first].request(f"/v1/agent/self?node={name}")
    assert response.status == 200
    assert f'"NodeName":"{name.lower()}"'.encode() in response.body


async def test_a_change_happens_there_and_nowhere_else() -> None:
    world = World()
    target = "/v1/agent/maintenance?enable=true&reason=disks&node=c2"
    assert (await world.machines["c1"].request(target, "PUT")).status == 200
    assert [name for name, one in world.machines.items() if one.api.context.agent.local.checks] == ["c2"]
    body = b'{"Name": "web"}'
    assert (await world.machines["s3"].request("/v1/agent/service/register?node=c1", "PUT", body=body)).status == 200
    assert list(world.machines["c1"].api.context.agent.local.services) == ["web"]


async def test_the_own_name_is_served_here() -> None:
    world = World()
    assert (await world.machines["c3"].request("/v1/agent/self?node=C3")).status == 200
    assert not any(machine.asked for machine in world.machines.values())


async def test_other_paths_keep_their_parameter() -> None:
    world = World()
    assert (await world.machines["c3"].request("/v1/event/list?node=c9")).status == 200


async def test_an_unknown_agent_and_one_without_a_connection() -> None:
    world = World()
    for first in ("s1", "c1"):
        response = await world.machines[first].request("/v1/agent/self?node=c9")
        assert (response.status, response.body) == (
            404,
            b'no agent has the name "c9" (`pyconsul members` lists them)',
        )
        response = await world.machines[first].request("/v1/agent/self?node=c3")
        assert response.status == 503
        assert b'agent "c3" is connected to no server' in response.body
    world.machines["s2"].api.pool.known["c3"] = client("c3", status=MemberStatus.FAILED)
    response = await world.machines["s2"].request("/v1/agent/self?node=c3")
    assert b'agent "c3" is not running, or cannot be reached: it has failed in the gossip pool' in response.body


async def test_servers_that_do_not_know_the_agent_ask_each_other_once() -> None:
    world = World()
    await world.machines["s1"].request("/v1/agent/self?node=c3")
    assert [len(world.machines[name].asked) for name in ("s1", "s2", "s3")] == [0, 1, 1]


async def test_a_server_that_cannot_be_asked_is_passed_over() -> None:
    world = World()
    world.failures["c1", "s1"] = NotSent("s1 is stopping")
    world.failures["s2", "s1"] = NotSent("s1 is stopping")
    assert (await world.machines["c1"].request("/v1/agent/self?node=c2")).status == 200
    response = await world.machines["c1"].request("/v1/agent/self?node=s1")
    assert response.status == 503
    assert b"s1 is stopping" in response.body


async def test_a_request_whose_response_is_lost_is_not_sent_again() -> None:
    world = World()
    world.failures["s2", "c2"] = Lost("the connection has ended")
    response = await world.machines["c1"].request("/v1/agent/maintenance?enable=true&node=c2", "PUT")
    assert response.status == 502
    assert b"may have carried the request out" in response.body
    assert world.machines["s3"].asked == []


async def test_a_client_cannot_mark_its_request_as_a_server_s() -> None:
    world = World()
    request = Request("GET", b"/v1/agent/self?node=c2", {b"x-pyconsul-via-server": b"1"})
    assert (await respond(world.machines["s1"].api, request)).status == 200


async def test_mistakes_are_found_by_the_first_agent() -> None:
    world = World()
    assert (await world.machines["c1"].request("/v1/agent/self?node=c2", "PUT")).status == 405
    assert (await world.machines["c1"].request("/v1/agent/nothing?node=c2")).status == 404
    assert not any(machine.asked for machine in world.machines.values())


async def test_the_agent_authorizes_the_caller_of_the_first_one() -> None:
    access = Access()
    access.token("reader", 'agent "c2" { policy = "read" }')
    world = World(access, c2={"default": "reader"}, c3={"default": "reader"})
    own = lambda token: "reader"  # noqa: E731
    access.resolver.own = lambda name: ""
    target = "/v1/agent/self?node=c2"
    assert (await world.machines["c1"].request(target, token="reader")).status == 200
    assert (await world.machines["c1"].request(target, token="nobody's")).status == 403
    assert (await world.machines["c3"].request(target)).status == 200, "the first agent's default token"
    access.resolver.own = own
    assert (await world.machines["c1"].request(target)).status == 403, "not the default token of the agent itself"


async def test_streams_pass_through() -> None:
    world = World()
    first = world.machines["c1"].api

    async def lines() -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    async def ask(node_id: str, request: HTTPRequest) -> Response:
        return Response(200, headers=((b"Content-Type", b"text/plain"),), stream=lines())

    world.machines["c1"].ask = ask  # type: ignore[method-assign]
    response = await respond(first, Request("GET", b"/v1/agent/monitor?node=c2", {}))
    assert response.stream is not None
    assert [part async for part in response.stream] == [b"one\n", b"two\n"]


async def test_an_agent_that_knows_no_other_says_so() -> None:
    api = Api()
    status, text = await api.text("GET", "/v1/agent/self?node=c9")
    assert status == 404
    assert '"c9" is not its name' in text


async def test_a_request_that_is_cancelled_is_cancelled_there() -> None:
    world = World()
    ended = asyncio.Event()

    async def ask(node_id: str, request: HTTPRequest) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    world.machines["c1"].ask = ask  # type: ignore[method-assign]
    running = asyncio.ensure_future(world.machines["c1"].request("/v1/agent/self?node=c2"))
    await one_turn()
    await one_turn()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
