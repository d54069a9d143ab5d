"""The members of a cluster as a server shows them that has not read their list yet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.scripted_pool import ScriptedPool, server

from pyconsul.agent.cluster import roster as roster_module
from pyconsul.agent.cluster.autopilot.rules import is_healthy
from pyconsul.agent.cluster.etcd.contract import ClusterMember
from pyconsul.agent.cluster.messages import ServerState
from pyconsul.agent.cluster.record import RecordFile
from pyconsul.agent.cluster.roster import Roster
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.model.autopilot import AutopilotSettings


def roster(file: RecordFile, colleagues: object = None, **fields: Any) -> Roster:
    members = (server("s1"), server("s2"))
    cluster = SimpleNamespace(
        own=server_of(members[0]),
        is_alone=False,
        knows_leader=False,
        engine=SimpleNamespace(index=5),
        **{"phase": None, **fields},
    )
    return Roster(cast(Any, cluster), file, ScriptedPool(*members), cast(Any, colleagues))


def votes(shown: Roster) -> dict[str, bool]:
    return {one.name: one.is_voter for one in shown.last_known_servers()}


async def test_a_server_that_was_just_added_has_no_vote_yet(tmp_path: Path) -> None:
    file = RecordFile(tmp_path)
    file.change(cluster_id="c0ffee", number=7, members=("id-s1", "id-s2"))
    shown = roster(file)
    assert votes(shown) == {"s1": False, "s2": True}
    file.change(is_member=True)
    assert votes(shown) == {"s1": True, "s2": True}


async def test_a_founder_votes(tmp_path: Path) -> None:
    file = RecordFile(tmp_path)
    file.change(cluster_id="c0ffee", is_founder=True, members=("id-s1",))
    assert votes(roster(file)) == {"s1": True}


async def test_a_member_that_ends_while_it_is_removed_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be gone before it has confirmed that."""
    monkeypatch.setattr(roster_module, "PERIOD_S", 0.01)
    members = [ClusterMember(1, "id-s1", False), ClusterMember(2, "id-s2", False)]
    local = SimpleNamespace(is_removed=False)

    async def listed() -> list[ClusterMember]:
        if local.is_removed:
            raise EngineError("it does not answer")
        return members

    async def remove(_: ClusterMember) -> None:
        local.is_removed = True
        raise EngineError("the connection has ended")

    local.members = SimpleNamespace(list=listed, remove=remove)
    phase = SimpleNamespace(local=local, had_quorum=True, has_quorum=False)
    host = SimpleNamespace(exclude=lambda *_: None)
    await asyncio.wait_for(roster(RecordFile(tmp_path), phase=phase, host=host, cluster_id="c0ffee").leave(), 1)
    assert local.is_removed


@pytest.mark.parametrize("runs", [True, False])
async def test_a_server_whose_etcd_does_not_run_is_not_healthy(tmp_path: Path, runs: bool) -> None:
    """Its agent answers all the same."""

    async def listed() -> list[ClusterMember]:
        return [ClusterMember(1, "id-s1", False), ClusterMember(2, "id-s2", False)]

    async def ask(*_: Any) -> ServerState:
        return ServerState("c0ffee", has_state=True, waits=False, index=5, has_quorum=runs)

    phase = SimpleNamespace(local=SimpleNamespace(members=SimpleNamespace(list=listed)), had_quorum=True, term=2)
    shown = roster(RecordFile(tmp_path), SimpleNamespace(ask=ask), phase=phase, cluster_id="c0ffee")
    leader, other = await shown.servers()
    assert (other.last_contact_ms >= 0) == runs
    assert is_healthy(other, leader, AutopilotSettings()) == runs
