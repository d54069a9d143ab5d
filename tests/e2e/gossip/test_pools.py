"""Several pools in one process, on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.eventually import eventually_async
from support.gossip_pools import Pools, opened_pools

from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.model.member import MemberEvent, MemberStatus


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    async with opened_pools() as opened:
        yield opened


async def test_members_join_hear_events_and_leave(pools: Pools) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one)
    three = await pools.open("three", 3, join=two)
    for agent in (one, two, three):
        await agent.knows("one", "two", "three")
    time = three.pool.fire("deploy", b"v1")
    event = UserEventReceived(time, "deploy", b"v1", False)
    for agent in (one, two, three):
        await eventually_async(lambda agent=agent: event in agent.events)  # type: ignore[misc]
    await pools.leave(three)
    await one.sees(three=MemberStatus.LEFT)
    await two.sees(three=MemberStatus.LEFT)
    changes = [(event.event, event.member.name) for event in one.events if isinstance(event, MemberChanged)]
    assert changes == [
        (MemberEvent.JOIN, "two"),
        (MemberEvent.JOIN, "three"),
        (MemberEvent.LEAVE, "three"),
    ]


async def test_a_member_that_is_killed_fails_with_a_reason(pools: Pools) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one)
    await pools.close(two)
    await one.sees(two=MemberStatus.FAILED)
    reasons = one.pool.explain("two").reasons
    assert reasons[0].startswith("declared dead by one"), reasons
    assert any("went unanswered" in reason for reason in reasons), reasons
