"""The leader's next step with the members of its cluster."""

from __future__ import annotations

from collections.abc import Collection

from pyconsul.agent.cluster.etcd.contract import ClusterMember
from pyconsul.agent.cluster.joining.plan import Add, AliveSince, Invite, Promote, Step, TakeOut, next_step

A, B, C = ClusterMember(1, "a", False), ClusterMember(2, "b", True), ClusterMember(3, "c", False)


def step(
    members: list[ClusterMember],
    alive: str,
    stable: str = "",
    late: Collection[int] = (),
    excluded: Collection[str] = (),
) -> Step | None:
    return next_step(members, list(alive), set(stable), late, excluded)


def test_a_learner_waits_for_its_vote_until_it_is_stable() -> None:
    assert step([A, B], "ab") == Invite(B)
    assert step([A, B], "ab", stable="b") == Promote(B)


def test_a_learner_that_is_gone_or_late_is_removed() -> None:
    assert step([A, B], "a", stable="b") == TakeOut(B)
    assert step([A, B], "ab", stable="b", late=[B.id]) == TakeOut(B)


def test_a_server_is_added_while_no_other_one_learns() -> None:
    assert step([A], "ab") == Add("b")
    assert step([A, B], "abc") == Invite(B)
    assert step([A, C], "ac") is None
    assert step([A], "ab", excluded=["b"]) is None


def test_a_stable_server_is_added_before_one_that_would_keep_it_out() -> None:
    assert step([A], "abc") == Add("b")
    assert step([A], "abc", stable="c") == Add("c")


def test_a_break_begins_the_time_of_a_server_anew() -> None:
    since = AliveSince()
    since.note(["b", "c"], 100.0)
    since.note(["b", "c"], 109.0)
    assert since.for_at_least(10.0, 109.9) == set()
    since.note(["c"], 109.0)
    since.note(["b", "c"], 109.5)
    assert since.for_at_least(10.0, 110.0) == {"c"}
    assert since.for_at_least(10.0, 119.5) == {"b", "c"}
    assert since.for_at_least(0.0, 109.5) == {"b", "c"}
