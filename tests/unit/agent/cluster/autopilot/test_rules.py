"""The rules of autopilot: health, and which servers are removed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.scripted_cluster import cluster_server, three

from pyconsul.agent.cluster.autopilot.rules import GRACE_S, HealthRecord, is_healthy, plan
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.autopilot import AutopilotSettings, ClusterServer, failure_tolerance

DEFAULTS = AutopilotSettings(server_stabilization_time=SECOND_NS)
NOW = 1000.0
LONG_AGO = NOW - 100


def failed(name: str, since: float = LONG_AGO, **fields: Any) -> ClusterServer:
    return cluster_server(name, serf_status="failed", is_healthy=False, stable_since=since, **fields)


def names(servers: tuple[ClusterServer, ...]) -> list[str]:
    return [server.name for server in servers]


@pytest.mark.parametrize(
    ("fields", "healthy"),
    [
        ({}, True),
        ({"serf_status": "failed"}, False),
        ({"serf_status": "left"}, False),
        ({"serf_status": "leaving"}, False),
        ({"last_contact_ms": 200}, True),
        ({"last_contact_ms": 201}, False),
        ({"last_contact_ms": -1}, False),
        ({"last_index": 750}, True),
        ({"last_index": 749}, False),
        ({"last_index": 0}, True),
        ({"last_term": 4}, False),
    ],
)
def test_a_healthy_server_is_alive_and_keeps_up(fields: dict[str, Any], healthy: bool) -> None:
    leader = cluster_server("s1", is_leader=True, last_index=1000, last_term=5)
    server = cluster_server("s2", **{"last_index": 1000, "last_term": 5, **fields})
    assert is_healthy(server, leader, DEFAULTS) is healthy


def test_without_a_leader_no_server_is_healthy() -> None:
    assert not is_healthy(cluster_server("s2"), None, DEFAULTS)


def test_health_has_lasted_since_it_last_changed() -> None:
    record, servers = HealthRecord(), three()
    record.rate(servers, DEFAULTS, NOW)
    [_, same, _] = record.rate(servers, DEFAULTS, NOW + 1)
    ill = [servers[0], replace(servers[1], last_contact_ms=5000), servers[2]]
    [_, meanwhile, _] = record.rate(ill, DEFAULTS, NOW + 10)
    [_, again, _] = record.rate(servers, DEFAULTS, NOW + 30)
    assert [(one.is_healthy, one.stable_since) for one in (same, meanwhile, again)] == [
        (True, NOW), (False, NOW + 10), (True, NOW + 30),
    ]  # fmt: skip


def test_health_is_remembered_only_of_members() -> None:
    record = HealthRecord()
    record.rate(three(), DEFAULTS, NOW)
    record.rate(three()[:2], DEFAULTS, NOW + 1)
    assert [server.stable_since for server in record.rate(three(), DEFAULTS, NOW + 2)] == [NOW, NOW, NOW + 2]


def test_a_server_that_left_is_removed_at_once() -> None:
    servers = [*three()[:2], cluster_server("s3", serf_status="left", stable_since=NOW)]
    off = replace(DEFAULTS, cleanup_dead_servers=False, min_quorum=3)
    assert names(plan(servers, off, NOW, 3).removals) == ["s3"]


def test_a_failed_server_is_removed_after_the_grace_period() -> None:
    servers = [*three()[:2], failed("s3", NOW)]
    assert plan(servers, DEFAULTS, NOW + GRACE_S - 0.1).removals == ()
    assert names(plan(servers, DEFAULTS, NOW + GRACE_S).removals) == ["s3"]
    slow = replace(DEFAULTS, server_stabilization_time=60 * SECOND_NS)
    assert plan(servers, slow, NOW + 59).removals == ()
    assert names(plan(servers, slow, NOW + 60).removals) == ["s3"]


@pytest.mark.parametrize(
    ("settings", "servers", "most_voters", "reason"),
    [
        ({"cleanup_dead_servers": False}, [*three()[:2], failed("s3")], 3, "cleanup_dead_servers is off"),
        ({"min_quorum": 3}, [*three()[:2], failed("s3")], 3, "at least 3 voting servers must stay"),
        ({}, [*three()[:2], failed("s3")], 5, "at least 3 voting servers must stay"),
        ({}, [three()[0], failed("s2"), failed("s3")], 3, "2 of 3 voting servers failed, and a majority must stay"),
        ({}, [three()[0], failed("s2")], 2, "1 of 2 voting servers failed, and a majority must stay"),
    ],
)
def test_a_failed_server_is_kept_where_its_removal_would_endanger_the_quorum(
    settings: dict[str, Any], servers: list[ClusterServer], most_voters: int, reason: str
) -> None:
    made = plan(servers, replace(DEFAULTS, **settings), NOW, most_voters)
    assert made.removals == ()
    name = servers[-1].name
    assert made.proposals[-1] == f"{name} (id-{name}) failed 100 s ago and is kept: {reason}"


def test_servers_without_a_vote_are_removed_whatever_the_quorum() -> None:
    servers = [three()[0], failed("s2"), failed("s4", is_voter=False)]
    assert names(plan(servers, replace(DEFAULTS, min_quorum=5), NOW).removals) == ["s4"]


SERVERS = st.lists(
    st.builds(
        lambda status, voter, since: replace(cluster_server("s0"), serf_status=status, is_voter=voter, stable_since=since),
        st.sampled_from(["alive", "failed", "left", "leaving"]),
        st.booleans(),
        st.floats(NOW - 100, NOW),
    ),
    max_size=8,
)  # fmt: skip


@given(SERVERS, st.integers(0, 7), st.integers(0, 9))
def test_no_plan_endangers_the_quorum(others: list[ClusterServer], min_quorum: int, most_voters: int) -> None:
    servers = [cluster_server("s0", is_leader=True), *others]
    servers = [replace(server, node_id=f"id-{number}") for number, server in enumerate(servers)]
    made = plan(servers, replace(DEFAULTS, min_quorum=min_quorum), NOW, most_voters)
    assert servers[0] not in made.removals
    assert all(server.serf_status in ("failed", "left") for server in made.removals)
    dead = [server for server in made.removals if server.serf_status == "failed" and server.is_voter]
    voters = [server for server in servers if server.is_voter and server.serf_status != "left"]
    assert 2 * len(dead) < len(voters)
    assert not dead or len(voters) - len(dead) >= max(min_quorum, most_voters // 2 + 1)


@pytest.mark.parametrize(
    ("voters", "healthy", "tolerance"), [(1, 1, 0), (2, 2, 0), (3, 3, 1), (3, 2, 0), (3, 1, 0), (5, 5, 2), (5, 4, 1)]
)
def test_the_failure_tolerance(voters: int, healthy: int, tolerance: int) -> None:
    servers = [cluster_server(f"s{number}", is_healthy=number < healthy) for number in range(voters)]
    assert failure_tolerance([*servers, cluster_server("s9", is_voter=False)]) == tolerance
