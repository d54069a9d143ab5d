"""Autopilot over scripted servers and a scripted pool."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from support.eventually import one_turn
from support.scripted_cluster import ScriptedCluster, three
from support.scripted_pool import FAILED, LEFT, ScriptedPool, server

from pyconsul.agent.cluster.autopilot.autopilot import Autopilot
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.member import MemberEvent
from pyconsul.agent.state import autopilot
from pyconsul.agent.state.schemas import AUTOPILOT
from pyconsul.agent.state.store import Store


@dataclass
class Leads:
    """A leadership that a test sets."""

    leads: bool = True

    def subscribe(self, listener: object, /) -> None:
        """Never call the listener."""


class Room:
    """The first of three servers."""

    def __init__(self, expected: int = 0) -> None:
        self.now = 1000.0
        self.cluster, self.leadership = ScriptedCluster(), Leads()
        self.pool = ScriptedPool(*(server(name, address=f"10.1.0.{name[-1]}") for name in ("s1", "s2", "s3")))
        self.store = Store()
        self.writer = Writer(self.store, MemoryEngine())
        self.initial = AutopilotSettings(min_quorum=1)
        self.autopilot = Autopilot(
            self.cluster, self.pool, self.store, self.writer.commit, self.leadership, self.initial, lambda: self.now, expected
        )  # fmt: skip

    async def after(self, seconds: float) -> None:
        self.now += seconds
        await self.autopilot.look()


async def test_servers_are_shown_as_gossip_sees_them() -> None:
    room = Room()
    room.pool.put(server("s2", status=FAILED))
    room.pool.erase("s3")
    found = await room.autopilot.servers()
    assert [(one.address, one.serf_status, one.build, one.is_healthy) for one in found] == [
        ("10.1.0.1:8300", "alive", "1.21.4", True),
        ("10.0.0.1:8300", "failed", "1.21.4", False),
        ("10.0.0.3:8300", "failed", "", False),
    ]


async def test_a_member_that_came_back_under_another_name_counts_as_alive() -> None:
    room = Room()
    room.pool.put(server("s2", status=FAILED))
    room.pool.put(server("other", "id-s2", address="10.1.0.9"))
    [_, second, _] = await room.autopilot.servers()
    assert (second.name, second.serf_status, second.address) == ("other", "alive", "10.1.0.9:8300")


async def test_a_failed_server_is_removed_and_leaves_the_pool() -> None:
    room = Room()
    await room.after(0)
    room.pool.put(server("s3", status=FAILED))
    await room.after(0)
    await room.after(9)
    assert room.cluster.removed == []
    await room.after(1)
    assert (room.cluster.removed, room.pool.forced) == (["id-s3"], [("s3", False)])


async def test_a_server_that_left_is_removed_at_once() -> None:
    room = Room()
    room.pool.put(server("s2", status=LEFT))
    await room.after(0)
    assert (room.cluster.removed, room.pool.forced) == (["id-s2"], [])


async def test_servers_are_removed_one_after_the_other() -> None:
    room = Room()
    room.pool.put(server("s2", status=LEFT))
    room.pool.put(server("s3", status=LEFT))
    await room.after(0)
    assert room.cluster.removed == ["id-s2"]
    await room.after(0)
    assert room.cluster.removed == ["id-s2", "id-s3"]


async def test_only_the_leader_acts_but_every_server_knows_the_health() -> None:
    room = Room()
    room.leadership.leads = False
    room.pool.put(server("s3", status=FAILED))
    await room.after(0)
    await room.after(60)
    assert (room.cluster.removed, room.store[AUTOPILOT].get(autopilot.ONLY)) == ([], None)
    room.leadership.leads = True
    await room.after(0)
    assert room.cluster.removed == ["id-s3"]


async def test_a_failed_server_that_is_kept_is_proposed() -> None:
    room = Room(expected=5)
    room.pool.put(server("s3", status=FAILED))
    await room.after(0)
    await room.after(60)
    assert room.cluster.removed == []
    [text] = room.autopilot.proposals()
    assert text == "s3 (id-s3) failed 60 s ago and is kept: at least 3 voting servers must stay"
    room.leadership.leads = False
    await room.after(1)
    assert room.autopilot.proposals() == ()


async def test_the_leader_writes_the_first_settings_and_follows_later_ones() -> None:
    room = Room()
    await room.after(0)
    row = room.store[AUTOPILOT].get(autopilot.ONLY)
    assert row is not None
    assert replace(row, create_index=0, modify_index=0) == room.initial
    off = replace(room.initial, cleanup_dead_servers=False)
    await room.writer.commit(lambda txn: autopilot.change(txn, off, room.initial))
    room.pool.put(server("s3", status=FAILED))
    await room.after(0)
    await room.after(60)
    assert (room.cluster.removed, len(room.autopilot.proposals())) == ([], 1)


async def test_a_change_of_a_server_is_looked_at_at_once_and_no_error_ends_that() -> None:
    room = Room()
    await room.autopilot.start()
    await one_turn()
    room.cluster.quorum = False
    room.pool.put(server("s2", status=LEFT), MemberEvent.LEAVE)
    await one_turn()
    assert room.cluster.removed == []
    room.cluster.quorum = True
    room.pool.put(server("s2", status=LEFT), MemberEvent.LEAVE)
    for _ in range(10):
        await one_turn()
    assert room.cluster.removed == ["id-s2"]
    await room.autopilot.stop()


async def test_a_server_that_removed_itself_is_no_error() -> None:
    room = Room()
    room.cluster.is_late = True
    room.pool.put(server("s3", status=LEFT))
    await room.after(0)
    assert room.cluster.removed == []


async def test_the_last_known_servers_have_their_last_health() -> None:
    room = Room()
    await room.after(0)
    room.cluster.known = [replace(one, last_contact_ms=5000) for one in room.cluster.known]  # nobody was asked again
    room.now += 5
    assert [(one.is_healthy, one.stable_since) for one in room.autopilot.last_known_servers()] == [(True, 1000.0)] * 3


async def test_without_a_quorum_the_last_known_servers_are_shown_and_none_is_healthy() -> None:
    room = Room()
    room.cluster.quorum = False
    room.cluster.known = [replace(one, is_leader=False) for one in three()]
    with pytest.raises(EngineError, match="No cluster leader"):
        await room.after(0)
    assert [one.is_healthy for one in room.autopilot.last_known_servers()] == [False] * 3
    with pytest.raises(EngineError, match="No cluster leader"):
        await room.autopilot.servers()
