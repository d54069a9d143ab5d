"""Conflict queries between the agents of a virtual pool: two agents under one name."""

from __future__ import annotations

import pytest
from support.gossip import VirtualPool, ask, categories, member

from pyconsul.agent.gossip.serf.effects import (
    LogLine,
    ShutDown,
)
from pyconsul.agent.gossip.serf.queries.conflicts import Vote
from pyconsul.agent.gossip.serf.queries.conflicts import answer as conflict_answer
from pyconsul.agent.gossip.wire.serf_messages import (
    QueryResponse,
    encode_serf_message,
)


def test_an_agent_without_the_majority_shuts_down() -> None:
    pool = VirtualPool("a", "b", "c", "d", resolve_name_conflicts=True)
    for name in ("b", "c", "d"):
        pool[name].serf.members.node_updated(member("a", address="10.9.9.9"))
    pool["a"].carry_out(pool["a"].serf.queries.name_conflict("a", "10.9.9.9:8301", pool.now))
    pool.wait(3.3)
    assert [effect.reason for effect in pool["a"].take(ShutDown)] == [
        "another agent keeps the name: 0 of 3 members know this agent under it"
    ]


def test_an_agent_with_the_majority_stays() -> None:
    pool = VirtualPool("a", "b", "c", "d", resolve_name_conflicts=True)
    pool["d"].serf.members.node_updated(member("a", address="10.9.9.9"))
    pool["a"].carry_out(pool["a"].serf.queries.name_conflict("a", "10.9.9.9:8301", pool.now))
    pool.wait(3.3)
    assert pool["a"].take(ShutDown) == []


def test_a_conflict_is_asked_about_once_at_a_time() -> None:
    pool = VirtualPool("a", "b", resolve_name_conflicts=True)
    queries = pool["a"].serf.queries
    assert len(queries.name_conflict("a", "10.9.9.9:8301", 0.0)) == 2
    assert len(queries.name_conflict("a", "10.9.9.9:8301", 0.0)) == 1
    pool.wait(3.3)
    assert len(queries.name_conflict("a", "10.9.9.9:8301", pool.now)) == 2


def test_a_conflict_is_only_logged_by_consul_and_about_others() -> None:
    pool = VirtualPool("a", "b")
    for name, is_error in (("a", True), ("b", False)):
        (line,) = pool["a"].serf.queries.name_conflict(name, "10.9.9.9:8301", 0.0)
        assert isinstance(line, LogLine)
        assert (line.category, line.is_error) == ("name-conflict", is_error)
        assert "10.9.9.9:8301" in line.text


def test_an_agent_that_has_moved_is_not_taken_for_another_one() -> None:
    pool = VirtualPool("a", "b")
    for name, named in (("a", "this agent"), ("b", "agent 'b'")):
        (line,) = pool["a"].serf.queries.name_conflict(name, "10.9.9.9:8301", 0.0, is_same=True)
        assert isinstance(line, LogLine)
        assert not line.is_error
        assert line.text.startswith(f"{named} has two addresses, 10.9.9.9:8301 is ignored")


def test_members_answer_a_conflict_query_with_what_they_know() -> None:
    pool = VirtualPool("a", "b", "c")
    handle = ask(pool["a"], "_serf_conflict", b"b")
    bad = encode_serf_message(QueryResponse(handle.time, handle.id, "b", 0, b"\xff"))  # b itself was silent
    assert categories(pool["a"].serf.receive(bad, pool.now)) == ["conflict-response"]


@pytest.mark.parametrize(
    ("matching", "others", "unknown", "is_kept"),
    [(0, 0, 0, False), (1, 0, 0, True), (1, 1, 0, False), (2, 1, 0, True), (2, 1, 1, False), (3, 1, 1, True)],
)
def test_the_majority_of_all_answers_decides(matching: int, others: int, unknown: int, is_kept: bool) -> None:
    own = member("b", address="10.0.0.2")
    vote = Vote(own)
    for known in [own] * matching + [member("b", address="10.0.0.3")] * others + [None] * unknown:
        vote.add(conflict_answer(known))
    assert vote.is_kept is is_kept
