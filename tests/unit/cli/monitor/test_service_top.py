"""What the screen of services counts, marks and puts first."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.monitor.service_top import Board, Health, healths, without_checks


def check(service: str, number: int, status: str, node: str = "n1", output: str = "") -> dict[str, Any]:
    return {"ServiceName": service, "ServiceID": number, "Node": node, "Status": status, "Output": output, "Name": "c"}


def test_an_instance_is_as_well_as_its_worst_check_and_its_node() -> None:
    found = healths(
        [
            check("web", 1, "passing"),
            check("web", 1, "critical", output="refused\nmore"),
            check("web", 2, "passing"),
            check("db", 1, "passing", node="n2"),
            {**check("", 0, "warning", node="n2"), "ServiceName": "", "Name": "disk"},
        ],
        {"plain": 3},
    )
    assert found == {
        "web": Health(passing=1, critical=1, output="refused"),
        "db": Health(warning=1, output="disk"),
        "plain": Health(passing=3),
    }


def test_changes_are_reported_counted_and_marked_and_failures_are_first() -> None:
    board = Board(0)
    assert board.update({"api": Health(1), "web": Health(2)}, 1) == []
    told = board.update({"api": Health(1), "web": Health(1, critical=1, output="refused")}, 10)
    assert told == [
        "web: 1 passing, 0 warning, 1 critical (was 2 passing, 0 warning, 0 critical): refused",
    ]
    assert [(cells[0], state, new) for cells, state, new in board.rows(11)] == [
        ("web", "critical", True),
        ("api", "passing", False),
    ]
    assert board.rows(20)[0] == (["web", "2", "1", "0", "1", "1", "10s ago", "refused"], "critical", False)
    assert board.update({"web": Health(2)}, 30) == [
        "api: gone (was 1 passing, 0 warning, 0 critical)",
        "web: 2 passing, 0 warning, 0 critical (was 1 passing, 0 warning, 1 critical)",
    ]
    assert board.rate(30) == 3 / 30
    assert board.rate(100) == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from(["passing", "warning", "critical"])))
)
def test_every_instance_is_counted_once(found: list[tuple[str, int, str]]) -> None:
    checks = [check(*one) for one in found]
    seen = healths(checks, {})
    assert sum(health.instances for health in seen.values()) == len({one[:2] for one in found})
    assert without_checks("abcd", checks) == sorted(set("abcd") - set(seen))
