"""Tokens on an agent without a state: asked for once, kept for their lifetimes, and what holds while no server can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from support.eventually import one_turn
from support.http_api import Api
from support.local_agent import service_row
from support.remote_servers import Access, Servers

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, UnknownToken
from pyconsul.agent.acl.resolver import LONG_RULES, NOT_BOOTSTRAPPED, Settings
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.remote import resolver
from pyconsul.agent.remote.resolver import DOWN, MAX_UNKNOWN, Lifetimes, RemoteResolver
from pyconsul.agent.rpc.contract import ServedByItself
from pyconsul.agent.sync.definition import ServiceDefinition

STALE, FRESH = "read GET /v1/pyconsul/caller?stale", "read GET /v1/pyconsul/caller"


class World:
    """An agent that resolves tokens through a server; the time is that of the server, too."""

    def __init__(self, down_policy: str = "extend-cache", lifetimes: Lifetimes | None = None, **own: str) -> None:
        self.access = Access()
        self.access.token("web", 'service "web" { policy = "write" }')
        self.servers = Servers(self.access)
        settings = Settings(datacenter="dc1", node_name="c1", default_allow=False, down_policy=down_policy)
        self.acl = RemoteResolver(
            self.servers,
            settings,
            lifetimes or Lifetimes(),
            lambda name: own.get(name, ""),
            lambda: self.access.now,
        )

    async def of(self, secret: str) -> Authorizer:
        """Return what a request with a token is authorized by.  Raises UnknownToken."""
        unread = self.acl.unread(secret)
        if unread is not None:
            assert isinstance(unread, Awaitable)
            await unread
        return self.acl.of(secret)

    async def level(self, secret: str) -> int:
        return (await self.of(secret)).level("service", "web")


async def test_a_token_is_asked_for_once_while_it_lives() -> None:
    world = World()
    assert [await world.level("web") for _ in range(3)] == [WRITE] * 3
    assert (await world.of("web")).accessor == "id-web"
    assert world.servers.asked == [STALE]
    world.access.now += 29
    assert await world.level("web") == WRITE
    assert len(world.servers.asked) == 1
    world.access.remove("web")
    world.access.now += 2
    with pytest.raises(UnknownToken, match="ACL not found"):
        await world.of("web")


async def test_requests_that_wait_for_one_token_share_the_question() -> None:
    world = World()
    assert await asyncio.gather(*(world.level("web") for _ in range(50))) == [WRITE] * 50
    assert world.servers.asked == [STALE]


async def test_a_request_that_is_cancelled_takes_no_other_with_it() -> None:
    world = World()
    first = asyncio.ensure_future(world.level("web"))
    second = asyncio.ensure_future(world.level("web"))
    await one_turn()
    first.cancel()
    assert await second == WRITE


async def test_an_unknown_token_is_kept_as_unknown() -> None:
    world = World()
    for _ in range(3):
        with pytest.raises(UnknownToken, match="ACL not found"):
            await world.of("nobody's")
    assert world.servers.asked == [STALE, FRESH], "the leader is asked before a token counts as unknown"
    world.access.token("nobody's", 'service "web" { policy = "read" }')
    world.access.now += 31
    assert await world.level("nobody's") == READ


async def test_without_a_leader_what_one_server_knows_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ask = Servers.__call__

    async def without_leader(servers: Servers, scope: Any, request: Any) -> Any:
        if b"stale" not in request.target:
            return Response(500, b"No cluster leader")
        return await ask(servers, scope, request)

    monkeypatch.setattr(Servers, "__call__", without_leader)
    assert await world.level("web") == WRITE
    with pytest.raises(UnknownToken):
        await world.of("nobody's")


async def test_a_request_that_waits_uses_the_permissions_of_its_end() -> None:
    world = World()
    api = Api(acl=world.acl, node_name="c1")
    await api.context.agent.register_service(EVERYTHING, ServiceDefinition(service_row("web"), [], ""))
    first = await api.request("GET", "/v1/agent/service/web", token="web")
    known = dict(first.headers)[b"X-Consul-ContentHash"].decode()
    waiting = asyncio.ensure_future(api.request("GET", f"/v1/agent/service/web?hash={known}&wait=60s", token="web"))
    await one_turn()
    world.access.remove("web")
    world.access.now += 31
    await api.context.agent.register_service(EVERYTHING, ServiceDefinition(service_row("web", tags=["new"]), [], ""))
    assert (await waiting).status == 403


async def test_the_text_of_a_refusal_is_that_of_the_server() -> None:
    world = World()
    world.access.write(lambda txn: None)
    with pytest.raises(UnknownToken) as refused:
        await world.of("nobody's")
    assert str(refused.value) in ("ACL not found", NOT_BOOTSTRAPPED)


async def test_many_unknown_tokens_push_out_no_known_one() -> None:
    world = World()
    assert await world.level("web") == WRITE
    for number in range(MAX_UNKNOWN + 100):
        with pytest.raises(UnknownToken):
            await world.of(f"guess-{number}")
    world.servers.asked.clear()
    assert await world.level("web") == WRITE
    assert world.servers.asked == []


async def test_the_shortest_lifetime_that_applies_counts() -> None:
    world = World(lifetimes=Lifetimes(token_s=100, policy_s=10, role_s=1))
    await world.of("web")
    world.access.now += 5
    await world.of("web")
    assert len(world.servers.asked) == 1, "the token has no roles"
    world.access.now += 6
    await world.of("web")
    assert len(world.servers.asked) == 2


async def test_a_lifetime_of_zero_asks_for_every_request() -> None:
    world = World(lifetimes=Lifetimes(0, 0, 0))
    assert [await world.level("web") for _ in range(3)] == [WRITE] * 3
    assert len(world.servers.asked) == 3


async def test_a_token_ends_at_its_own_time() -> None:
    world = World()
    world.access.token("short", 'service "web" { policy = "write" }', expires=1010.0)
    assert await world.level("short") == WRITE
    assert world.acl.expires("short") == 1010.0
    world.access.now = 1011.0
    with pytest.raises(UnknownToken):
        world.acl.of("short")


@pytest.mark.parametrize(
    ("policy", "known", "other"),
    [("extend-cache", WRITE, 0), ("async-cache", WRITE, 0), ("allow", WRITE, WRITE), ("deny", 0, 0)],
)
async def test_without_servers_the_down_policy_decides(
    policy: str, known: int, other: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(policy)
    assert await world.level("web") == WRITE
    world.servers.away = True
    world.access.now += 10_000
    assert max(await world.level("web"), 0) == known
    assert max(await world.level("other"), 0) == other
    assert (await world.of("other")).accessor == DOWN
    assert (await world.of("other")).level("acl") <= 0, "ACLs are never managed without a server"
    assert len(caplog.records) == 1
    assert f"policy={policy}" in caplog.text
    world.servers.away = False
    await world.of("web")
    while world.acl.unread("web") is not None:
        await one_turn()
    assert await world.level("web") == WRITE
    with pytest.raises(UnknownToken):
        await world.of("other")


async def test_async_cache_answers_while_it_asks_again() -> None:
    world = World("async-cache")
    assert await world.level("web") == WRITE
    world.access.now += 31
    world.access.remove("web")
    assert world.acl.unread("web") is None
    assert world.acl.of("web").level("service", "web") == WRITE
    while len(world.servers.asked) < 3:
        await one_turn()
    await one_turn()
    with pytest.raises(UnknownToken):
        await world.of("web")


async def test_the_recovery_token_needs_no_server() -> None:
    world = World(agent_recovery="in-need")
    world.servers.away = True
    caller = await world.of("in-need")
    assert caller.allows("agent", WRITE, "c1")
    assert not caller.allows("agent", WRITE, "c2")
    assert world.servers.asked == []


async def test_without_a_token_the_agent_s_own_counts_and_else_the_anonymous_one() -> None:
    assert await World(default="web").level("") == WRITE
    assert (await World().of("")).anonymous


async def test_a_caller_that_cannot_wait_learns_it_the_next_time() -> None:
    world = World()
    with pytest.raises(UnknownToken):
        world.acl.of("web")
    while not world.servers.asked:
        await one_turn()
    await one_turn()
    assert world.acl.of("web").level("service", "web") == WRITE


async def test_long_rules_are_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[Any] = []

    async def to_thread(work: Any) -> Any:
        threads.append(work)
        return work()

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    world = World()
    world.access.token("long", 'service "web" { policy = "write" }\n' + "#" * LONG_RULES)
    assert await world.level("long") == WRITE
    assert len(threads) == 2, "by the server, and by the agent"


async def test_a_local_request_waits_for_its_caller() -> None:
    world = World()
    world.access.token("agent", 'agent "c1" { policy = "read" }')
    api = Api(acl=world.acl, node_name="c1")

    async def status(token: str) -> int:
        begun = api.app.begin(Request("GET", b"/v1/agent/self", {b"x-consul-token": token.encode()}))
        assert isinstance(begun, Awaitable)
        response: Any = await begun
        return int(response.status)

    assert await status("agent") == 200
    assert (await api.request("GET", "/v1/agent/self", token="agent")).status == 200
    assert await status("web") == 403
    assert await status("nobody's") == 403
    assert world.servers.asked.count(STALE) == 3
    world.access.now += 31
    world.acl.settings = Settings(datacenter="dc1", node_name="c1", default_allow=False)
    assert (await api.request("GET", "/v1/agent/self", token="agent")).status == 200


async def test_an_agent_without_lifetimes_answers_local_requests() -> None:
    world = World(lifetimes=Lifetimes(0, 0, 0))
    world.access.token("agent", 'agent "c1" { policy = "read" }')
    api = Api(acl=world.acl, node_name="c1")
    assert (await api.request("GET", "/v1/agent/self", token="agent")).status == 200
    assert world.servers.asked == [STALE]


@pytest.mark.parametrize("looks", [1, 3])
async def test_a_server_that_is_about_to_have_its_state_does_not_guess(
    looks: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its etcd has a quorum, so other servers are not asked, but its own state is not read yet."""
    monkeypatch.setattr(resolver, "LOOK_S", 0.01)
    asked = 0

    async def serves_itself(*_: Any) -> Response:
        nonlocal asked
        asked += 1
        raise ServedByItself("this agent serves them itself now")

    settings = Settings(datacenter="dc1", node_name="s1", default_allow=False, down_policy="extend-cache")
    acl = RemoteResolver(serves_itself, settings, Lifetimes(), lambda _: "", lambda: 0.0, lambda: asked < looks)
    unread = acl.unread("web")
    assert isinstance(unread, Awaitable)
    await unread
    assert asked == looks
    assert not caplog.records
    with pytest.raises(UnknownToken):
        acl.of("web")
