"""Servers that found a cluster, are added to one, and leave it; with real etcd members and relays."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
from support.etcd import needs_etcd
from support.eventually import eventually_async
from support.processes import children
from support.server_clusters import FAST, Machine, town

from pyconsul.agent.cluster.settings import ClusterSettings
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.history.contract import versions_of

pytestmark = needs_etcd


async def test_three_servers_found_one_cluster(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded()
        await leader.put("a")
        for machine in machines:
            await eventually_async(lambda machine=machine: machine.has("a"))
        assert len({machine.cluster.cluster_id for machine in machines}) == 1


async def earlier_values(machine: Machine, key: str) -> list[bytes | None]:
    """Return the values of a key in its history, the newest first."""
    found = await machine.engine.history(key)
    assert found is not None
    return [
        version.entry.value
        async for page in found.pages
        for key_history in page
        for version in versions_of(key_history)
        if version.entry is not None
    ]


async def test_a_single_server_grows_while_clients_write(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        first = await place.machine(is_bootstrapped=True).start()
        await first.put("before", b"1")
        await first.put("before", b"2")
        written: list[str] = []

        async def write() -> None:
            while True:
                key = f"key-{len(written)}"
                if await is_written(first, key):  # on a busy machine etcd may elect another leader meanwhile
                    written.append(key)

        replaced = first.store.watches.replaced
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(write())
            others = [await place.machine().start(), await place.machine().start()]
            await eventually_async(place.cluster_of(first, *others))
            await others[0].put("by another server") if others[0] is place.leader else None
            writer.cancel()
        assert first.single.moved_to == first.cluster.cluster_id
        assert first.store.watches.replaced == replaced, "the waiters of the first server were woken"
        for machine in (first, *others):
            await eventually_async(partial(machine.has, "before", *written))
            assert await earlier_values(machine, "before") == [b"2", b"1"]


async def test_a_follower_takes_over_when_the_leader_stops(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        first, machines = await place.founded()
        await first.put("a")
        await first.stop()
        await eventually_async(lambda: place.leader)
        second = place.leader
        assert second is not None
        await second.put("b")
        await first.start()
        await eventually_async(partial(first.has, "a", "b"))
        await eventually_async(place.cluster_of(*machines))


async def test_all_servers_return_at_new_addresses(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        _, machines = await place.founded()
        assert place.leader is not None
        await place.leader.put("a")
        for machine in machines:
            await machine.stop()
        for machine in machines:
            await machine.start()
        for machine in machines:
            await eventually_async(partial(machine.has, "a"))
        await eventually_async(place.cluster_of(*machines))


async def test_a_removed_server_is_added_again_with_its_old_data_set_aside(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded()
        removed = next(machine for machine in machines if machine is not leader)
        await removed.stop()
        await leader.cluster.roster.remove(removed.node_id)
        leader.cluster.host.exclude(removed.node_id, 0.0)
        staying = [machine for machine in machines if machine is not removed]
        await eventually_async(place.cluster_of(*staying))
        await leader.put("meanwhile")
        await removed.start()
        await eventually_async(place.cluster_of(*machines))
        await eventually_async(partial(removed.has, "meanwhile"))
        assert list((removed.folder / "cluster").glob("etcd.removed-*"))


async def test_removing_a_server_never_endangers_the_quorum(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded()
        one, other = (machine for machine in machines if machine is not leader)
        await one.stop()
        with pytest.raises(EngineError, match="of the 2 voters that stay, 1 are alive, but 2 are needed"):
            await leader.cluster.roster.remove(other.node_id)
        with pytest.raises(LookupError, match="is not a member"):
            await leader.cluster.roster.remove("nobody")
        await leader.cluster.roster.remove(one.node_id)


async def test_the_leadership_can_be_handed_over(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded(2)
        other = next(machine for machine in machines if machine is not leader)
        await leader.cluster.roster.transfer_leader(other.node_id)
        await eventually_async(lambda: place.leader is other)
        await other.cluster.roster.transfer_leader("")
        await eventually_async(lambda: place.leader is leader)
        with pytest.raises(LookupError, match="no voter with the ID nobody"):
            await leader.cluster.roster.transfer_leader("nobody")


async def test_a_server_with_a_state_is_not_added(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with town(tmp_path) as place:
        stranger = await place.machine(is_bootstrapped=True).start()
        await stranger.put("its own")
        await stranger.stop()
        stranger.settings = ClusterSettings(member=FAST)
        first = await place.machine(is_bootstrapped=True).start()
        await stranger.start()
        await eventually_async(lambda: "it has a state already, of it alone; to add it, stop its agent" in caplog.text)
        await eventually_async(lambda: "cannot add this server, which has a state already" in caplog.text)
        assert first.cluster.is_alone
        assert stranger.cluster.is_alone
        assert await stranger.has("its own")


async def test_without_etcd_the_newcomer_is_refused_and_the_server_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    async with town(tmp_path) as place:
        first = await place.machine(is_bootstrapped=True).start()
        await place.machine().start()
        await eventually_async(lambda: "apt-get install etcd-server" in caplog.text)
        await first.put("a")
        assert first.cluster.is_alone
        assert await first.has("a")


async def test_a_cluster_that_has_lost_its_majority_goes_on_with_the_best_copy(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded()
        await leader.put("a")
        with pytest.raises(EngineError, match="nothing to recover"):
            await leader.cluster.recovery.survivors()
        lost, survivor, late = machines
        for machine in machines:
            await eventually_async(partial(machine.has, "a"))
        index = survivor.store.index
        for machine in machines:
            await machine.stop()
        await survivor.start()
        found = await survivor.cluster.recovery.survivors()
        shown = {one.node_id: one for one in found}
        assert shown[survivor.node_id].last_index == index
        assert shown[lost.node_id].error == shown[late.node_id].error == "it is not reachable"
        await survivor.cluster.recovery.recover(survivor.node_id)
        await eventually_async(lambda: survivor.cluster.leadership.leads)
        assert await survivor.has("a")
        newcomer = await place.machine().start()
        await eventually_async(place.cluster_of(survivor, newcomer))
        assert list((survivor.folder / "cluster").glob("etcd.before-recovery-*"))


@pytest.mark.parametrize("lost", ["cluster/etcd", "cluster"])
async def test_a_server_that_has_lost_its_data_is_added_again(tmp_path: Path, lost: str) -> None:
    async with town(tmp_path) as place:
        leader, machines = await place.founded()
        await leader.put("a")
        other = next(machine for machine in machines if machine is not leader)
        await other.stop()
        shutil.rmtree(other.folder / lost)
        await other.start()
        await eventually_async(partial(other.has, "a"))
        await eventually_async(place.cluster_of(*machines))


async def test_relays_follow_the_gossip_keys(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        _, machines = await place.founded()
        for keys in ((bytes(32), b"n" * 32), (b"n" * 32, bytes(32)), (b"n" * 32,)):
            for machine in machines:
                machine.pool.keyring.keys = keys
                machine.cluster._relay.refresh()
        for pid in children("relay.process"):
            os.kill(pid, signal.SIGKILL)
        leader = await eventually_async(lambda: place.leader)
        await eventually_async(partial(is_written, leader, "a"))
        for machine in machines:
            await eventually_async(partial(machine.has, "a"))


async def is_written(machine: Machine, key: str) -> bool:
    try:
        await machine.put(key)
    except EngineError:
        return False
    return True


async def test_an_invitation_that_arrives_late_leaves_no_voter_with_an_empty_log(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        first = await place.machine(is_bootstrapped=True).start()
        second = await place.machine().start()
        await eventually_async(place.cluster_of(first, second))
        place.delays_invitation = True
        third = await place.machine().start()
        await eventually_async(place.cluster_of(first, second, third))
        await first.put("a")
        assert place.delayed is not None
        await place.delayed()
        await eventually_async(lambda: bool(third.cluster.phase) and third.has("a"))
        await eventually_async(place.cluster_of(first, second, third))
        await second.stop()
        await first.put("b")
        await eventually_async(lambda: third.has("b"))
