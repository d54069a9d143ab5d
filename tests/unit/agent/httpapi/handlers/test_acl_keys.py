"""Keys for logins: kept, fetched once for all who wait, and no more often than allowed, whatever anybody asks for."""

from __future__ import annotations

import asyncio

import pytest
from support.eventually import one_turn

from pyconsul.agent.acl.methods.jwtkeys import KeySetError, VerifyingKey
from pyconsul.agent.acl.methods.methodconfig import JWTConfig, read_jwt
from pyconsul.agent.httpapi.handlers.acl.login_keys import FRESH_S, MAX_AGE_S, MAX_SOURCES, MIN_INTERVAL_S, LoginKeys

CONFIG = read_jwt({"JWKSURL": "http://127.0.0.1/keys"})


class Server:
    """A key server whose answers the test gives, and a clock that it sets."""

    def __init__(self) -> None:
        self.now, self.fetches, self.error = 1000.0, 0, ""
        self.gate: asyncio.Event | None = None
        self.keys = LoginKeys(self.fetch, lambda: self.now)

    async def fetch(self, config: JWTConfig) -> list[VerifyingKey]:
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error:
            raise KeySetError(self.error)
        return [VerifyingKey(f"key {self.fetches}")]


async def test_keys_are_kept_until_they_are_old() -> None:
    server = Server()
    first = await server.keys.get(CONFIG)
    server.now += FRESH_S
    assert await server.keys.get(CONFIG) is first
    server.now += 1
    assert await server.keys.get(CONFIG) == [VerifyingKey("key 2")]
    assert server.fetches == 2


async def test_concurrent_requests_share_one_fetch() -> None:
    server = Server()
    server.gate = asyncio.Event()
    waiting = [asyncio.create_task(server.keys.get(CONFIG)) for _ in range(100)]
    await one_turn()
    waiting[0].cancel()  # one of them hangs up
    await one_turn()
    server.gate.set()
    assert len({id(keys) for keys in await asyncio.gather(*waiting[1:])}) == 1
    assert server.fetches == 1


async def test_unknown_keys_do_not_make_the_agent_ask_again_and_again() -> None:
    server = Server()
    known = await server.keys.get(CONFIG)
    for _ in range(100):
        assert await server.keys.refreshed(CONFIG, known) is known
    assert server.fetches == 1
    server.now += MIN_INTERVAL_S
    fresh = await server.keys.refreshed(CONFIG, known)
    assert fresh == [VerifyingKey("key 2")]
    assert await server.keys.refreshed(CONFIG, known) is fresh, "another request has fetched it already"
    assert server.fetches == 2


async def test_a_server_that_fails_is_not_asked_at_once_again() -> None:
    server = Server()
    server.error = "down"
    for _ in range(100):
        with pytest.raises(KeySetError, match="down"):
            await server.keys.get(CONFIG)
    assert server.fetches == 1
    server.error, server.now = "", server.now + MIN_INTERVAL_S
    assert await server.keys.get(CONFIG)


async def test_old_keys_bridge_an_outage_but_not_for_ever() -> None:
    server = Server()
    known = await server.keys.get(CONFIG)
    server.error, server.now = "down", server.now + MAX_AGE_S
    assert await server.keys.get(CONFIG) is known
    server.now += MIN_INTERVAL_S
    with pytest.raises(KeySetError, match="down"):
        await server.keys.get(CONFIG)


async def test_a_failure_reaches_the_caller_and_is_not_kept() -> None:
    async def broken(config: JWTConfig) -> list[VerifyingKey]:
        raise MemoryError("x" * 1000)

    server = Server()
    keys = LoginKeys(broken, lambda: server.now)
    with pytest.raises(KeySetError, match=r"MemoryError: x{200}$"):
        await keys.get(CONFIG)


async def test_sources_are_bounded() -> None:
    server = Server()
    for number in range(2 * MAX_SOURCES):
        await server.keys.get(read_jwt({"JWKSURL": f"http://127.0.0.1/{number}"}))
    assert len(server.keys._sources) == MAX_SOURCES
