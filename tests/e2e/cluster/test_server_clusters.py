"""Servers that found a cluster, are added to one, and leave it; with real etcd members and relays."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from support.etcd import needs_etcd
from support.eventually import eventually_async
from support.server_clusters import town

pytestmark = needs_etcd


async def test_three_servers_found_one_cluster(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        machines = [place.machine(expect=3) for _ in range(3)]
        for machine in machines:
            await machine.start()
        await eventually_async(place.cluster_of(*machines))
        leader = place.leader
        assert leader is not None
        await leader.put("a")
        for machine in machines:
            await eventually_async(lambda machine=machine: machine.has("a"))
        assert len({machine.cluster.cluster_id for machine in machines}) == 1


async def test_a_single_server_grows_while_clients_write(tmp_path: Path) -> None:
    async with town(tmp_path) as place:
        first = await place.machine(is_bootstrapped=True).start()
        await first.put("before")
        written: list[str] = []

        async def write() -> None:
            while True:
                key = f"key-{len(written)}"
                await first.put(key)
                written.append(key)

        restored = first.store.restored
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(write())
            others = [await place.machine().start(), await place.machine().start()]
            await eventually_async(place.cluster_of(first, *others))
            await others[0].put("by another server") if others[0] is place.leader else None
            writer.cancel()
        assert first.single.moved_to == first.cluster.cluster_id
        assert first.store.restored == restored, "the waiters of the first server were woken"
        for machine in (first, *others):
            await eventually_async(partial(machine.has, "before", *written))
