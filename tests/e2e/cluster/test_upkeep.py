"""etcd members that run out of their quota."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from support.etcd import needs_etcd
from support.eventually import eventually_async
from support.server_clusters import Machine, town

from pyconsul.agent.cluster import upkeep
from pyconsul.agent.cluster.etcd.contract import Status
from pyconsul.agent.engine.contract import EngineError

pytestmark = needs_etcd


async def is_written(machine: Machine, key: str) -> bool:
    try:
        await machine.put(key)
    except EngineError:
        return False
    return True


async def fill(machine: Machine) -> None:
    for number in range(40):
        await machine.put("large", b"%d" % number + b"x" * 500_000)


async def test_old_values_are_dropped_when_the_quota_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "agent.etcd")
    async with town(tmp_path) as place:
        machines = [place.machine(expect=2) for _ in range(2)]
        for machine in machines:
            member = msgspec.structs.replace(machine.settings.member, quota_backend_bytes=8 << 20)
            machine.settings = msgspec.structs.replace(machine.settings, member=member)
            await machine.start()
        await eventually_async(place.cluster_of(*machines))
        leader = place.leader
        assert leader is not None
        with pytest.raises(EngineError, match="database space exceeded"):
            await fill(leader)
        monkeypatch.setattr(upkeep, "ALARM_S", 0.05)
        await eventually_async(lambda: "etcd accepts writes again" in caplog.text)
        await eventually_async(partial(is_written, leader, "after"))
        assert "made the database of etcd smaller" in caplog.text
        for machine in machines:
            await eventually_async(partial(machine.has, "large", "after"))
            figures = machine.cluster.roster.figures()
            assert figures["etcd.quota_bytes"] == 8 << 20
            assert 0 < figures["etcd.used_bytes"] <= figures["etcd.size_bytes"]


def test_a_database_is_made_smaller_when_half_of_it_is_free() -> None:
    def status(size_mib: int, used_mib: int) -> Status:
        return Status(1, 1, 1, size_mib << 20, used_mib << 20, ())

    assert upkeep.has_much_free(status(200, 90))
    assert not upkeep.has_much_free(status(200, 110))
    assert not upkeep.has_much_free(status(60, 1))
