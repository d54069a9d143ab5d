"""Debian's serf in a pool of ours: each takes the other for a member like its own."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually_async
from support.gossip_pools import PoolAgent, Pools
from support.serf_agent import SerfAgent, needs_serf

from pyconsul.agent.gossip.serf.effects import UserEventReceived
from pyconsul.agent.model.member import MemberStatus

pytestmark = needs_serf

KEYS = [pytest.param((), id="plain"), pytest.param((bytes(range(32)),), id="encrypted")]
StartSerf = Callable[..., SerfAgent]


@pytest.fixture
def start_serf(tmp_path: Path, pools: Pools) -> Iterator[StartSerf]:
    """Starts agents on 127.0.0.101 and so on."""
    agents: list[SerfAgent] = []

    def start(name: str, *, key: bytes = b"", join: str = "") -> SerfAgent:
        agents.append(SerfAgent(tmp_path, name, f"127.0.0.{101 + len(agents)}", pools.port, key=key, join=join))
        return agents[-1]

    yield start
    for agent in agents:
        agent.kill()


async def sees(serf: SerfAgent, **statuses: str) -> None:
    """Wait until serf lists these members with these statuses."""
    await eventually_async(lambda: asyncio.to_thread(lambda: statuses.items() <= serf.members().items()))


def heard(agent: PoolAgent) -> set[tuple[str, bytes]]:
    events = [event for event in agent.events if isinstance(event, UserEventReceived)]
    assert len(events) == len({event.time for event in events}), "an event was delivered twice"
    return {(event.name, event.payload) for event in events}


@pytest.mark.parametrize("keys", KEYS)
async def test_serf_joins_our_pool(keys: tuple[bytes, ...], pools: Pools, start_serf: StartSerf) -> None:
    one = await pools.open("one", 1, keys=keys)
    two = await pools.open("two", 2, keys=keys, join=one)
    serf = await asyncio.to_thread(start_serf, "debian", key=keys[0] if keys else b"", join=one.address)
    for agent in (one, two):
        await agent.knows("one", "two", "debian")
    await sees(serf, one="alive", two="alive", debian="alive")
    [member] = [member for member in one.pool.members() if member.name == "debian"]
    assert (member.tags, f"{member.address}:{member.port}") == ({"role": "web"}, serf.address)

    # Events pass both ways.
    one.pool.fire("deploy", b"v1")
    await eventually_async(lambda: serf.events() == ["deploy v1"])
    await asyncio.to_thread(serf.run, "event", "-coalesce=false", "restart", "now")
    for agent in (one, two):
        await eventually_async(lambda agent=agent: heard(agent) == {("deploy", b"v1"), ("restart", b"now")})  # type: ignore[misc]

    # It probes us, and we probe it: each learns the other's coordinate.
    await eventually_async(lambda: one.pool.coordinate_of("debian") is not None)
    round_trip_s = await eventually_async(lambda: asyncio.to_thread(serf.round_trip_s, "one", "debian"))
    assert round_trip_s is not None
    assert round_trip_s < 1.0

    # It leaves; a second one, which we join, is killed.
    await asyncio.to_thread(serf.run, "leave")
    for agent in (one, two):
        await agent.sees(debian=MemberStatus.LEFT)
    second = await asyncio.to_thread(start_serf, "second", key=keys[0] if keys else b"")
    result = await one.pool.join([second.address])
    assert (result.contacted, result.failures, result.without_udp) == (1, (), ())
    for agent in (one, two):
        await agent.knows("one", "two", "second")
    second.kill()
    for agent in (one, two):
        await agent.sees(second=MemberStatus.FAILED)


async def test_serf_sees_our_members_leave_and_fail(pools: Pools, start_serf: StartSerf) -> None:
    serf = await asyncio.to_thread(start_serf, "debian")
    agents = [await pools.open(name, number) for number, name in enumerate(("stays", "leaves", "dies"), start=1)]
    for agent in agents:
        assert (await agent.pool.join([serf.address])).contacted == 1
    await sees(serf, stays="alive", leaves="alive", dies="alive")
    await pools.leave(agents[1])
    await pools.close(agents[2])
    await sees(serf, stays="alive", leaves="left", dies="failed")
    await agents[0].sees(leaves=MemberStatus.LEFT, dies=MemberStatus.FAILED, debian=MemberStatus.ALIVE)


async def test_keys_are_rotated_with_serf_in_the_pool(pools: Pools, start_serf: StartSerf) -> None:
    old, new = os.urandom(32), os.urandom(32)
    one = await pools.open("one", 1, keys=(old,))
    serf = await asyncio.to_thread(start_serf, "debian", key=old, join=one.address)
    await one.knows("one", "debian")
    keyring, text = one.pool.keyring, b64encode(new).decode()
    for report in (
        await keyring.install(text),
        await keyring.use(text),
        await keyring.remove(b64encode(old).decode()),
    ):
        assert (report.error, report.members) == ("", 2)
    assert (await keyring.list()).primary_keys == {text: 2}
    one.pool.fire("deploy", b"v2")
    await eventually_async(lambda: serf.events() == ["deploy v2"])
    assert text in await asyncio.to_thread(serf.run, "keys", "-list")
    assert one.alive() == {"one", "debian"}


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.single_server("counts the members")
async def test_serf_joins_a_whole_agent(keys: tuple[bytes, ...], tmp_path: Path) -> None:
    encryption = {"encrypt": b64encode(keys[0]).decode()} if keys else {}
    with running_agent(**encryption) as agent:
        serf = await asyncio.to_thread(
            SerfAgent,
            tmp_path,
            "debian",
            "127.0.0.101",
            agent.lan_port,
            key=keys[0] if keys else b"",
            join=f"127.0.0.1:{agent.lan_port}",
        )
        try:
            await sees(serf, n1="alive", debian="alive")
            await eventually_async(lambda: statuses(agent) == {"n1": 1, "debian": 1})
            agent.put("/v1/event/fire/deploy", b"v1")
            await eventually_async(lambda: any(event.startswith("consul:event:deploy ") for event in serf.events()))
        finally:
            serf.kill()
        await eventually_async(lambda: statuses(agent) == {"n1": 1, "debian": 4})


def statuses(agent: AgentProcess) -> dict[str, int]:
    return {member["Name"]: member["Status"] for member in agent.get("/v1/agent/members")}
