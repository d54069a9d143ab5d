"""The doctor's findings about servers."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.cli.doctor import diagnosis, servers
from pyconsul.cli.doctor.diagnosis import FAILURE, OK, WARNING


def state(*statuses: str, ill: tuple[int, ...] = (), tolerance: int = 0, **fields: Any) -> dict[str, Any]:
    found = {
        f"id-{number}": {"Name": f"s{number}", "Status": status, "Healthy": number not in ill}
        for number, status in enumerate(statuses, 1)
    }
    voters = [node_id for node_id, one in found.items() if one["Status"] != "non-voter"]
    return {"Servers": found, "Voters": voters, "FailureTolerance": tolerance, **fields}


def summary(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.state, one.text) for one in servers.quorum(found)]


def test_three_healthy_servers() -> None:
    assert summary(state("leader", "voter", "voter", tolerance=1)) == [(OK, "3 servers vote, 1 of them may fail")]


def test_one_server() -> None:
    assert summary(state("leader")) == [(OK, "there is one server: without it nothing is answered")]


@pytest.mark.parametrize(("voters", "tolerance"), [(2, 0), (4, 1)])
def test_an_even_number_of_servers(voters: int, tolerance: int) -> None:
    found = summary(state("leader", *["voter"] * (voters - 1), tolerance=tolerance))
    assert found == [(WARNING, f"{voters} servers vote, {tolerance} of them may fail")]


def test_servers_that_are_ill_or_have_no_vote_and_those_that_autopilot_keeps() -> None:
    found = state("leader", "voter", "voter", "non-voter", ill=(3,), Proposals=["s3 failed 40 s ago and is kept"])
    assert summary(found) == [
        (WARNING, "1 of 4 servers are unhealthy: s3"),
        (WARNING, "without a vote yet: s4"),
        (WARNING, "3 servers vote, 0 of them may fail"),
        (WARNING, "s3 failed 40 s ago and is kept"),
    ]


@pytest.mark.parametrize(
    ("settings", "program", "count", "expected"),
    [
        ({"Server": False}, None, 3, None),
        ({"Server": True, "DevMode": True}, None, 1, None),
        ({"Server": True, "Etcd": {"Endpoints": ["e:2379"]}}, None, 3, None),
        ({"Server": True}, "/usr/bin/etcd", 3, OK),
        ({"Server": True}, None, 1, OK),
        ({"Server": True}, None, 3, WARNING),
        ({"Server": True, "BootstrapExpect": 3}, None, 0, WARNING),
        ({"Server": True, "RetryJoin": ["a"]}, None, 0, WARNING),
    ],
)
def test_etcd(settings: dict[str, Any], program: str | None, count: int, expected: str | None) -> None:
    found = servers.etcd(settings, program, count)
    assert (found.state if found else None) == expected


def test_an_agent_that_knows_no_server() -> None:
    found = diagnosis.leader("", "No known Consul servers")
    assert (found.state, found.text) == (FAILURE, "the servers cannot be asked: No known Consul servers")


def test_clocks_of_members_are_compared() -> None:
    explained = [
        {"Member": {"Name": name, "Status": 1}, "Reasons": [], "ClockOffsetSeconds": offset}
        for name, offset in (("a", None), ("b", 42.0), ("c", -0.5))
    ]
    [_, clocks] = diagnosis.gossip(explained, health_score=0)
    assert (clocks.state, clocks.text) == (WARNING, "differ from the agent's: b +42.0 s")
