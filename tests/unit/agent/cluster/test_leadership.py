"""Servers that compete for the leadership in a real etcd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aetcd import rpc
from support.etcd import EtcdProcess, fresh_prefix, needs_etcd
from support.eventually import eventually_async

from pyconsul.agent.cluster.leading import leadership
from pyconsul.agent.cluster.leading.leadership import EtcdLeadership
from pyconsul.agent.engine.etcd.client import Client

pytestmark = needs_etcd


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "BACKOFF_S", 0.05)
    monkeypatch.setattr(leadership, "KEEP_ALIVE_S", 0.2)
    monkeypatch.setattr(leadership, "RETRY_S", 0.02)


async def answer(value: bool) -> bool:
    return value


@asynccontextmanager
async def servers(etcd: EtcdProcess, *member_leads: bool) -> AsyncIterator[list[EtcdLeadership]]:
    """Servers n0, n1 … that compete."""
    prefix = fresh_prefix()
    clients = [Client([etcd.endpoint]) for _ in member_leads]
    found = [
        EtcdLeadership(client, prefix, f"n{number}", member_leads=partial(answer, leads))
        for number, (client, leads) in enumerate(zip(clients, member_leads, strict=True))
    ]
    for server in found:
        await server.start()
    yield found
    for server in found:
        await server.stop()
    for client in clients:
        await client.close()


def agree(found: list[EtcdLeadership], *allowed: str) -> Callable[[], Awaitable[bool]]:
    """Return whether all follow one of these leaders, and that one knows."""

    async def check() -> bool:
        leaders = {server.leader for server in found}
        return len(leaders) == 1 and leaders <= set(allowed) and sum(server.leads for server in found) == 1

    return check


async def test_one_server_leads_and_the_others_know(etcd: EtcdProcess) -> None:
    async with servers(etcd, False, True, False) as found:
        await eventually_async(agree(found, "n0", "n1", "n2"))


async def test_a_leader_that_stops_is_followed_by_another(etcd: EtcdProcess) -> None:
    async with servers(etcd, True, False) as found:
        await eventually_async(agree(found, "n0", "n1"))
        leader, follower = sorted(found, key=lambda server: not server.leads)
        told: list[bool] = []
        follower.subscribe(lambda: told.append(follower.leads))
        await leader.resign()
        assert not leader.leads
        await eventually_async(lambda: follower.leads)
        assert told[-1]


async def test_a_leader_that_is_gone_is_replaced_at_once_and_learns_of_it(etcd: EtcdProcess) -> None:
    async with servers(etcd, True, True, True) as found:
        await eventually_async(agree(found, "n0", "n1", "n2"))
        first = next(server for server in found if server.leads)
        others = [server for server in found if server is not first]
        others[0].set_gone(first.leader, True)
        await eventually_async(agree(found, others[0]._node_id))
        assert not first.leads


async def test_a_lease_that_is_lost_ends_the_leadership(etcd: EtcdProcess) -> None:
    async with servers(etcd, True) as (server,):
        await eventually_async(lambda: server.leads)
        told: list[bool] = []
        server.subscribe(lambda: told.append(server.leads))
        lease = server._lease
        revoke = rpc.LeaseRevokeRequest(ID=lease)
        await server._client.call(lambda channel: rpc.LeaseStub(channel).LeaseRevoke, revoke)
        await eventually_async(lambda: server._lease not in (0, lease))
        assert told[0] is False
        assert server.leads


async def test_a_leader_that_does_not_answer_is_replaced(etcd: EtcdProcess) -> None:
    async with servers(etcd, True, True) as found:
        await eventually_async(agree(found, "n0", "n1"))
        leader = next(server for server in found if server.leads)
        other = next(server for server in found if server is not leader)
        other.set_silent(leader.leader)
        await eventually_async(lambda: other.leads and not leader.leads)


async def test_a_request_that_is_lost_in_an_election_does_not_hold_up_the_winner(
    etcd: EtcdProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "TAKE_S", 3600.0)
    taking = 0
    take = EtcdLeadership._take

    async def lost_at_first(server: EtcdLeadership) -> None:
        nonlocal taking
        taking += 1
        if taking == 1:
            await asyncio.Event().wait()
        await take(server)

    async def member_leads() -> bool:
        return taking > 0

    monkeypatch.setattr(EtcdLeadership, "_take", lost_at_first)
    async with servers(etcd, False) as (server,):
        server._member_leads = member_leads
        await eventually_async(lambda: server.leads)
    assert taking == 2
