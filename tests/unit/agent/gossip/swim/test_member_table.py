"""The table of members: rounds of probes and random choices."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.member_table import MemberTable
from pyconsul.agent.gossip.wire.messages import Address


def record(name: str, state: MemberState = MemberState.ALIVE) -> Member:
    return Member(name, Address(b"\x0a\0\0\1", 8301), b"", bytes(6), 1, state, 0.0)


def table_of(size: int, seed: int = 1) -> MemberTable:
    table = MemberTable(random.Random(seed))
    for index in range(size):
        table.put(record(f"n{index}"))
    return table


def draw_round(table: MemberTable) -> list[str]:
    drawn = []
    while (member := table.next_to_probe()) is not None:
        drawn.append(member.name)
    return drawn


@given(st.integers(0, 40), st.integers(0, 1000))
def test_a_round_visits_every_member_once(size: int, seed: int) -> None:
    table = table_of(size, seed)
    names = sorted(member.name for member in table)
    for _ in range(3):
        assert sorted(draw_round(table)) == names
        table.start_round(lambda member: False)


def test_rounds_have_different_orders() -> None:
    table = table_of(20)
    first = draw_round(table)
    table.start_round(lambda member: False)
    assert draw_round(table) != first


@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 1000))
def test_a_new_member_is_visited_in_the_present_round(size: int, drawn_before: int, seed: int) -> None:
    table = table_of(size, seed)
    drawn = [member.name for _ in range(min(drawn_before, size)) if (member := table.next_to_probe())]
    table.put(record("new"))
    drawn += draw_round(table)
    assert sorted(drawn) == sorted([f"n{index}" for index in range(size)] + ["new"])


def test_members_are_forgotten_between_rounds() -> None:
    table = table_of(5)
    table.put(record("n3", MemberState.DEAD))
    assert table.start_round(lambda member: member.is_gone) == ["n3"]
    assert table.get("n3") is None
    assert len(table) == 4
    assert "n3" not in draw_round(table)


def test_a_shared_base_is_never_changed() -> None:
    base = {f"n{index}": record(f"n{index}") for index in range(4)}
    names = list(base)
    one, other = (MemberTable(random.Random(1), base, names) for _ in range(2))
    one.put(record("n1", MemberState.DEAD))
    one.put(record("new"))
    one.start_round(lambda member: member.is_gone)
    assert sorted(member.name for member in one) == ["n0", "n2", "n3", "new"]
    assert [member.name for member in other] == ["n0", "n1", "n2", "n3"]
    assert other.get("n1") is base["n1"]


def test_random_members_are_different_and_wanted() -> None:
    table = table_of(10)
    found = table.random_members(3, lambda member: member.name not in ("n1", "n2"))
    assert len({member.name for member in found}) == 3
    assert not {"n1", "n2"} & {member.name for member in found}


def test_random_members_end_where_nobody_is_wanted() -> None:
    assert table_of(10).random_members(3, lambda member: False) == []
    assert table_of(0).random_members(3, lambda member: True) == []
