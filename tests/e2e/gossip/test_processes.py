"""Pools in several processes: what happens when one stops for a while, and when it is killed."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from msgspec.structs import replace
from support.eventually import eventually_async
from support.gossip_child import GossipChild
from support.gossip_pools import FAST, PoolAgent, Pools

from pyconsul.agent.model.member import MemberStatus

StartChild = Callable[[str, int, PoolAgent], Awaitable[GossipChild]]


@pytest.fixture
async def start_child(pools: Pools) -> AsyncIterator[StartChild]:
    children: list[GossipChild] = []

    async def start(name: str, number: int, peer: PoolAgent) -> GossipChild:
        keys = peer.settings.keys
        child = await asyncio.to_thread(GossipChild, name, number, pools.port, peer.address, keys=keys)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()


async def test_a_process_that_stops_fails_and_comes_back(pools: Pools, start_child: StartChild) -> None:
    """When it goes on, what has arrived is taken in first: it does not take the others for failed."""
    old, new = os.urandom(32), os.urandom(32)
    one = await pools.open("one", 1, keys=(old,), swim=replace(FAST, gossip_interval_s=0.05))
    two = await pools.open("two", 2, keys=(old,), join=one)
    child = await start_child("child", 3, one)
    await one.knows("one", "two", "child")

    child.pause()
    await one.sees(child=MemberStatus.FAILED)
    await two.sees(child=MemberStatus.FAILED)
    child.resume()
    await one.knows("one", "two", "child")
    await two.knows("one", "two", "child")
    assert await child.statuses() == {"one": "ALIVE", "two": "ALIVE", "child": "ALIVE"}

    # It reads what it has missed once it goes on, a rotation of the keys too.
    child.pause()
    keyring, key = one.pool.keyring, b64encode(new).decode()
    await keyring.install(key)
    await keyring.use(key)
    await one.sees(child=MemberStatus.FAILED)
    child.resume()
    await one.knows("one", "two", "child")
    report = await keyring.list()
    assert (report.error, report.primary_keys) == ("", {key: 3})


async def test_a_process_that_is_killed_fails(pools: Pools, start_child: StartChild) -> None:
    one = await pools.open("one", 1)
    first, second = await start_child("first", 2, one), await start_child("second", 3, one)
    await one.knows("one", "first", "second")
    first.kill()
    await one.sees(first=MemberStatus.FAILED)
    await eventually_async(lambda: has_failed(second))


async def has_failed(child: GossipChild) -> bool:
    return (await child.statuses()).get("first") == "FAILED"
