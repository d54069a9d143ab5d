"""The election of the instance that asks Consul: sessions, locks, and what happens when either is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.tools.consul.client import ConsulClient, ConsulError
from pyconsul.tools.template.dedup import election as module
from pyconsul.tools.template.dedup.election import FLAGS, Election

KEY = "shared/a"


class Consul:
    """Sessions and locks. `fails`: the next writes of keys raise these."""

    def __init__(self) -> None:
        self.sessions: list[str] = []
        self.ended: list[str] = []
        self.holder = ""
        self.writes: list[tuple[str, str, bytes]] = []
        self.fails: list[ConsulError] = []

    async def send(self, method: str, path: str, params: Mapping[str, str], body: bytes = b"") -> Any:
        await one_turn()
        if path == "/v1/session/create":
            self.sessions.append(f"s{len(self.sessions) + 1}")
            return {"ID": self.sessions[-1]}
        if path.startswith("/v1/session/destroy/"):
            self.ended.append(path.rpartition("/")[2])
            return True
        if path.startswith("/v1/kv/"):
            assert params["flags"] == str(FLAGS)
            self.writes.append((path.removeprefix("/v1/kv/"), params["acquire"], body))
            if self.fails:
                raise self.fails.pop(0)
            self.holder = self.holder or params["acquire"]
            return self.holder == params["acquire"]
        return {}


@asynccontextmanager
async def elections(consul: Consul) -> AsyncIterator[Election]:
    election = Election(cast(ConsulClient, consul), ttl=15.0, name="test", rng=random.Random(1))
    try:
        yield election
    finally:
        await election.close()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await one_turn()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPREAD_S", 0.0)


async def test_writes_lock_the_key_with_one_session() -> None:
    consul = Consul()
    async with elections(consul) as election:
        assert await election.write(KEY, b"1")
        assert await election.write(KEY, b"2")
        assert election.session == "s1"
    assert consul.writes == [(KEY, "s1", b"1"), (KEY, "s1", b"2")]
    assert consul.ended == ["s1"]


async def test_a_key_that_another_instance_holds_is_not_written() -> None:
    consul = Consul()
    consul.holder = "another"
    async with elections(consul) as election:
        assert not await election.write(KEY, b"1")


async def test_a_session_that_has_ended_is_replaced_and_the_write_repeated() -> None:
    consul = Consul()
    async with elections(consul) as election:
        await election.write(KEY, b"1")
        consul.holder, consul.fails = "", [ConsulError('invalid session "s1"', 500)]
        assert await election.write(KEY, b"2")
        assert election.session == "s2"
    assert [session for _, session, _ in consul.writes] == ["s1", "s1", "s2"]


async def test_a_write_of_an_earlier_session_does_nothing() -> None:
    consul = Consul()
    async with elections(consul) as election:
        await election.write(KEY, b"1")
        await election.write_as("s0", KEY, b"late")
        await election.write_as("s1", KEY, b"beat")
    assert [value for _, _, value in consul.writes] == [b"1", b"beat"]


async def test_a_contest_writes_the_empty_key_until_it_is_settled() -> None:
    consul = Consul()
    async with elections(consul) as election:
        election.campaign(KEY)
        election.campaign(KEY)
        await until(lambda: consul.writes)
        assert consul.writes == [(KEY, "s1", b"")]
        assert not election.idle
        election.withdraw(KEY)
        assert election.idle


async def test_a_failed_contest_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY", module.RetryPolicy(attempts=0, backoff=0.0))
    consul = Consul()
    consul.fails = [ConsulError("Permission denied", 403)] * 2
    async with elections(consul) as election:
        election.campaign(KEY)
        await until(lambda: consul.holder == "s1")
    assert len(consul.writes) == 3
