"""Servers that are away: one that was removed meanwhile, and one that gossip still takes for alive."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from support.eventually import eventually_async
from support.server_clusters import Machine, Town, town

from pyconsul.agent.cluster.joining.host import Host
from pyconsul.agent.gossip.consul.tags import Server

pytestmark = pytest.mark.skipif(shutil.which("etcd") is None, reason="etcd is not installed")


async def three(place: Town) -> tuple[Machine, list[Machine]]:
    """Return the leader of three servers, and the others."""
    leader, machines = await place.founded()
    return leader, [machine for machine in machines if machine is not leader]


def set_aside(machine: Machine) -> list[Path]:
    return list((machine.folder / "cluster").glob("etcd.removed-*"))


async def test_a_server_that_was_removed_waits_until_it_is_added_again(tmp_path: Path) -> None:
    async def refused(host: Host, server: Server) -> bool:
        return False

    async with town(tmp_path) as place:
        leader, (removed, other) = await three(place)
        await removed.stop()
        await leader.cluster.roster.remove(removed.node_id)
        await eventually_async(place.cluster_of(leader, other))
        await leader.put("meanwhile")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Host, "_may_be_added", refused)  # only its etcd learns that it was removed
            await removed.start()
            await eventually_async(lambda: set_aside(removed))
            await eventually_async(lambda: removed.cluster.state().waits)
            assert removed.cluster.phase is None
        await eventually_async(place.cluster_of(leader, removed, other))
        await eventually_async(partial(removed.has, "meanwhile"))
        assert len(set_aside(removed)) == 1


async def test_the_leadership_is_handed_over_to_a_server_that_answers(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, others = await three(place)
        for silent in others:
            answering = next(machine for machine in others if machine is not silent)
            place.cut.add(frozenset((leader.name, silent.name)))  # gossip has not noticed it
            await leader.cluster.roster.transfer_leader("")
            await eventually_async(lambda heir=answering: place.leader is heir)
            place.cut.clear()
            await answering.cluster.roster.transfer_leader(leader.node_id)
            await eventually_async(lambda: place.leader is leader)
        for machine in others:
            place.cut.add(frozenset((leader.name, machine.name)))
        with pytest.raises(LookupError, match="no other server can lead"):
            await leader.cluster.roster.transfer_leader("")
