"""Rows of members and servers, from what the API responds."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.ui.pages.cluster.members import row_of
from pyconsul.agent.ui.pages.cluster.quorum import summary
from pyconsul.agent.ui.pages.cluster.servers import rows_of, voting_of
from pyconsul.agent.ui.pages.coordination.events import shown_payload


def member(status: int, *reasons: str, **tags: str) -> dict[str, Any]:
    known = {"role": "node", "dc": "dc1", "build": "1.21.4:abc", **tags}
    about = {"Name": "c1", "Addr": "::1", "Port": 8301, "Tags": known, "Status": status}
    return {"Member": {**about, "ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2}, "Reasons": list(reasons)}


@pytest.mark.parametrize(
    ("one", "status", "state", "reasons", "removable"),
    [
        (member(1, "it is alive", "last acknowledged a probe of this agent 0.3 s ago"), "alive", "passing", (), False),
        (member(1, "suspected by n1; fails in 2.0 s unless it refutes"), "suspected", "warning", 1, False),
        (member(2, "it announced that it leaves"), "leaving", "warning", 1, True),
        (member(3), "left", "none", (), True),
        (member(4, "declared dead by n1"), "failed", "critical", ("declared dead by n1",), True),
        (member(0), "failed", "critical", (), True),
    ],
)
def test_status_of_a_member(
    one: dict[str, Any], status: str, state: str, reasons: tuple[str, ...] | int, removable: bool
) -> None:
    row = row_of(one)
    assert (row.status, row.state, row.removable) == (status, state, removable)
    assert (len(row.reasons) if isinstance(reasons, int) else row.reasons) == reasons


def test_a_member_has_an_address_and_few_tags() -> None:
    row = row_of(member(1, role="consul", expect="3", vsn="2"))
    assert (row.role, row.address, row.build, row.tags) == ("server", "[::1]:8301", "1.21.4", ("expect=3",))


def server(name: str, status: str, index: int, *, healthy: bool = True, contact: str = "12ms") -> dict[str, Any]:
    about = {"ID": f"id-{name}", "Name": name, "Address": "10.0.0.1:8300", "Version": "1.21.4", "NodeStatus": "alive"}
    numbers = {"LastContact": contact, "LastTerm": 3, "LastIndex": index, "StableSince": "2026-11-29T10:00:00Z"}
    return {**about, **numbers, "Status": status, "Healthy": healthy}


def test_without_a_leader_servers_are_alive_or_not() -> None:
    failed = server("c", "voter", 0, healthy=False) | {"NodeStatus": "failed"}
    silent = server("d", "voter", 9, healthy=False, contact="9s")
    rows = rows_of([server("a", "voter", 9, healthy=False), server("b", "voter", 9, healthy=False), failed, silent])
    assert [(row.name, row.state, row.health) for row in rows] == [
        ("c", "critical", "not heard of"),
        ("d", "critical", "not heard of"),
        ("a", "warning", "alive"),
        ("b", "warning", "alive"),
    ]
    assert summary([voting_of(row) for row in rows]) == "No server leads: 2 of 4 voters are alive, 3 are needed."


def test_servers_stand_with_the_unhealthy_and_the_leader_first() -> None:
    rows = rows_of(
        [
            server("a", "non-voter", 90),
            server("b", "voter", 100, contact="1.5s"),
            server("c", "leader", 100, contact="0s"),
            server("d", "voter", 0, healthy=False, contact="-1ns"),
        ]
    )
    assert [row.name for row in rows] == ["d", "c", "b", "a"]
    assert [row.behind for row in rows] == [None, 0, 0, 10]
    assert [row.contact for row in rows] == ["never", "", "2 s ago", "< 0.2 s ago"]
    assert rows[1].consequence.startswith("The quorum is lost: 1 of 3 voters are left.")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", ""),
        (b"v2", "v2"),
        (b"\xff\x00", "\\xff\\x00"),
        ("\u202eé".encode(), "\\u202eé"),
        (b"x" * 301, "x" * 300 + "…"),
        (("é" * 400).encode(), "é" * 152 + "…"),
    ],
)
def test_payloads_are_shown_as_text(payload: bytes, expected: str) -> None:
    assert shown_payload(payload) == expected
