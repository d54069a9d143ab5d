"""The member table: statuses from the membership protocol and from intents, in any order."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip import member

from pyconsul.agent.gossip.serf.effects import LogLine, MemberChanged
from pyconsul.agent.gossip.serf.members import MAX_RECENT_INTENTS, MemberTable, member_of
from pyconsul.agent.gossip.serf.settings import HOUR_S, SerfSettings
from pyconsul.agent.gossip.wire.messages import PushPullNode
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus

ALIVE, LEAVING, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED
JOIN, LEAVE, REAP = MemberEvent.JOIN, MemberEvent.LEAVE, MemberEvent.REAP


def table() -> MemberTable:
    return MemberTable(SerfSettings(node_name="me"))


def leave(
    members: MemberTable, name: str, time: int, now: float = 0.0, *, prune: bool = False, is_leaving: bool = False
) -> tuple[bool, bool, list[MemberEvent]]:
    outcome = members.leave_intent(name, time, now, prune=prune, is_leaving=is_leaving)
    return outcome.rebroadcast, outcome.refute, [change.event for change in outcome.changes]


def status(members: MemberTable, name: str = "b") -> MemberStatus | None:
    found = members.get(name)
    return found.status if found else None


def events(changes: list[MemberChanged]) -> list[tuple[MemberEvent, str]]:
    return [(change.event, change.member.name) for change in changes]


def in_status(wanted: MemberStatus) -> MemberTable:
    """A table in which `b` has this status, at Lamport time 5."""
    members = table()
    members.node_up(member("b"), 0.0)
    assert members.join_intent("b", 4, 0.0).rebroadcast
    if wanted in (LEAVING, LEFT):
        assert members.leave_intent("b", 5, 0.0, prune=False, is_leaving=False).rebroadcast
    else:
        assert members.join_intent("b", 5, 0.0).rebroadcast
    if wanted in (LEFT, FAILED):
        assert members.node_down("b", 0.0)
    assert status(members) is wanted
    return members


# What the protocol's description says (PROTOCOL, 8.2), written down a second time: status, input, new status, event.
@pytest.mark.parametrize(
    ("before", "given_input", "after", "event"),
    [
        (ALIVE, "down", FAILED, MemberEvent.FAILED),
        (ALIVE, "join", ALIVE, None),
        (ALIVE, "leave", LEAVING, None),
        (LEAVING, "down", LEFT, LEAVE),
        (LEAVING, "join", ALIVE, None),
        (LEAVING, "leave", LEAVING, None),
        (LEFT, "up", ALIVE, JOIN),
        (LEFT, "down", LEFT, None),
        (LEFT, "join", LEFT, None),
        (LEFT, "leave", LEFT, None),
        (FAILED, "up", ALIVE, JOIN),
        (FAILED, "down", FAILED, None),
        (FAILED, "join", FAILED, None),
        (FAILED, "leave", LEFT, LEAVE),
    ],
)
def test_transitions(before: MemberStatus, given_input: str, after: MemberStatus, event: MemberEvent | None) -> None:
    members = in_status(before)
    seen: list[MemberEvent] = []
    if given_input == "up":
        seen.append(members.node_up(member("b"), 1.0).event)
    elif given_input == "down":
        change = members.node_down("b", 1.0)
        seen.extend([change.event] if change else [])
    elif given_input == "join":
        assert members.join_intent("b", 6, 1.0).rebroadcast
    else:
        seen.extend(leave(members, "b", 6, 1.0)[2])
    assert status(members) is after
    assert seen == ([event] if event else [])
    assert members.status_times() == {"b": 6 if given_input in ("join", "leave") else 5}


@pytest.mark.parametrize("before", list(MemberStatus))
@pytest.mark.parametrize("time", [0, 4, 5])
def test_an_intent_that_is_not_newer_is_ignored(before: MemberStatus, time: int) -> None:
    members = in_status(before)
    assert not members.join_intent("b", time, 1.0).rebroadcast
    assert leave(members, "b", time, 1.0, prune=True) == (False, False, [])
    assert status(members) is before


def test_a_member_that_dies_after_its_intent_left_and_without_one_failed() -> None:
    """PROTOCOL, 11.6: dead by itself, but without an intent, is failed."""
    members = table()
    members.node_up(member("b"), 0.0)
    members.join_intent("b", 3, 0.0)
    assert not leave(members, "b", 3)[0]  # the leave must have a greater time than the join
    members.node_down("b", 1.0)
    assert status(members) is FAILED


def test_a_leave_about_this_agent_is_refuted_unless_it_leaves() -> None:
    members = table()
    members.node_up(member("me"), 0.0)
    assert leave(members, "me", 7, prune=True) == (False, True, [])
    assert status(members, "me") is ALIVE
    assert leave(members, "me", 7, is_leaving=True) == (True, False, [])
    assert status(members, "me") is LEAVING


def test_the_newest_intent_about_an_unknown_member_is_applied_when_it_appears() -> None:
    members = table()
    assert members.join_intent("b", 4, 0.0).rebroadcast
    assert leave(members, "b", 6) == (True, False, [])
    assert not members.join_intent("b", 5, 0.0).rebroadcast
    assert not members.join_intent("b", 6, 0.0).rebroadcast
    assert members.node_up(member("b"), 1.0).member.status is LEAVING
    assert members.status_times() == {"b": 6}
    assert members.join_intent("c", 9, 0.0).rebroadcast
    assert members.node_up(member("c"), 1.0).member.status is ALIVE
    assert members.status_times() == {"b": 6, "c": 9}


def test_an_intent_about_an_unknown_member_is_remembered_for_five_minutes() -> None:
    for seconds, time in ((300.0, 6), (300.1, 0)):
        members = table()
        leave(members, "b", 6)
        members.node_up(member("b"), seconds)
        assert members.status_times() == {"b": time}
    members = table()
    leave(members, "b", 6)
    members.reap(300.1)
    assert members.join_intent("b", 2, 300.1).rebroadcast  # forgotten, so an older one is news


def test_intents_about_unknown_members_are_bounded() -> None:
    members = table()
    for number in range(MAX_RECENT_INTENTS + 1):
        leave(members, f"x{number}", 5)
    assert members.node_up(member("x0"), 0.0).member.status is ALIVE
    assert members.node_up(member("x1"), 0.0).member.status is LEAVING


def test_pruning_a_member_that_is_gone_erases_it_at_once() -> None:
    for before, seen in ((FAILED, [LEAVE, REAP]), (LEFT, [REAP])):
        members = in_status(before)
        assert leave(members, "b", 6, prune=True) == (True, False, seen)
        assert "b" not in members


def test_an_intent_that_is_older_than_the_pruning_is_no_news() -> None:
    """Rebroadcast, it would take the place of the newer one in the queue."""
    members = in_status(FAILED)
    leave(members, "b", 7, prune=True)
    assert leave(members, "b", 6) == (False, False, [])
    assert leave(members, "b", 7, prune=True) == (False, False, [])
    assert members.node_up(member("b"), 1.0).member.status is ALIVE
    assert not members.join_intent("b", 7, 1.0).rebroadcast
    assert members.join_intent("b", 8, 1.0).rebroadcast


def test_pruning_a_member_that_seems_alive_waits_for_its_refutation() -> None:
    members = in_status(ALIVE)
    assert leave(members, "b", 6, 10.0, prune=True) == (True, False, [])
    assert members.next_prune() == 18.0  # 5 s broadcast timeout, 3 s propagation
    assert members.prune(17.9) == []
    assert events(members.prune(18.0)) == [(REAP, "b")]
    assert members.next_prune() == math.inf

    members = in_status(ALIVE)
    leave(members, "b", 6, 10.0, prune=True)
    assert members.join_intent("b", 7, 11.0).rebroadcast
    assert members.next_prune() == math.inf
    assert status(members) is ALIVE


def test_failed_and_left_members_are_reaped_after_their_timeouts() -> None:
    for before, hours in ((FAILED, 72), (LEFT, 24)):
        members = in_status(before)
        assert members.reap(hours * HOUR_S) == []
        assert events(members.reap(hours * HOUR_S + 1)) == [(REAP, "b")]
        assert len(members) == 0
    assert in_status(ALIVE).reap(1e9) == []
    assert in_status(LEAVING).reap(1e9) == []


@pytest.mark.parametrize(
    ("tag", "timeout_s"),
    [("90s", 90.0), ("1h0m0s", HOUR_S), ("soon", 72 * HOUR_S), ("-1s", 72 * HOUR_S), ("0s", 72 * HOUR_S)],
)
def test_a_member_s_own_reconnect_timeout(tag: str, timeout_s: float) -> None:
    members = table()
    members.node_up(member("b", tags={"rc_tm": tag}), 0.0)
    members.node_down("b", 0.0)
    assert members.reap(timeout_s) == []
    assert events(members.reap(timeout_s + 1)) == [(REAP, "b")]


def test_a_member_that_returns_is_not_reaped_by_its_old_absence() -> None:
    members = in_status(FAILED)
    members.node_up(member("b", address="10.0.0.9"), 5.0)
    assert members.reap(1e9) == []
    found = members.get("b")
    assert found
    assert found.address == "10.0.0.9"
    members.node_down("b", 1e9)
    assert members.reap(1e9 + 10) == []


def test_an_update_replaces_address_and_tags_but_not_the_status() -> None:
    members = in_status(LEAVING)
    change = members.node_updated(member("b", address="::1", tags={"role": "web"}))
    assert change == MemberChanged(MemberEvent.UPDATE, member("b", address="::1", tags={"role": "web"}, status=LEAVING))
    assert members.node_updated(member("unknown")) is None


def test_a_node_is_read_as_a_member() -> None:
    node = PushPullNode("b", bytes([10, 0, 0, 7]), 8301, encode_tags({"dc": "x"}), 1, 0, bytes([1, 5, 2, 2, 5, 4]))
    assert member_of(node) == (Member("b", "10.0.0.7", 8301, {"dc": "x"}, ALIVE, 1, 5, 2, 2, 5, 4), [])
    mapped = PushPullNode("b", b"\0" * 10 + b"\xff\xff\x0a\0\0\x07", 1, b"web", 1, 0, b"")
    assert member_of(mapped) == (Member("b", "10.0.0.7", 1, {"role": "web"}, ALIVE, 0, 0, 0, 0, 0, 0), [])


def test_what_cannot_be_read_of_a_node_is_left_out_with_a_warning() -> None:
    found, warnings = member_of(PushPullNode("b", b"\x0a", 1, b"\xff\xc1", 1, 0, bytes(6)))
    assert (found.address, found.tags) == ("?0a", {})
    assert [warning.category for warning in warnings if isinstance(warning, LogLine)] == [
        "member-tags",
        "member-address",
    ]


INPUTS = st.lists(
    st.tuples(
        st.sampled_from(["up", "down", "join", "leave", "prune", "reap"]), st.sampled_from("ab"), st.integers(1, 30)
    )
)


@given(INPUTS)
def test_invariants(inputs: list[tuple[str, str, int]]) -> None:
    members, now = table(), 0.0
    for kind, name, time in inputs:
        now += 1000.0
        before = members.status_times().get(name)
        if kind == "up":
            members.node_up(member(name), now)
        elif kind == "down":
            members.node_down(name, now)
        elif kind == "join":
            members.join_intent(name, time, now)
        elif kind == "leave":
            leave(members, name, time, now, prune=time % 5 == 0)
        elif kind == "prune":
            members.prune(now)
        else:
            members.reap(now)
        after = members.status_times().get(name)
        if before is not None and after is not None:
            assert after >= before  # status times never run backwards
        gone = {it.name for it in members.with_status(LEFT, FAILED)}
        assert gone | {it.name for it in members.with_status(ALIVE, LEAVING)} == set(members.status_times())
        members.reap(now + 0.0)
    members.reap(now + 1e9)
    assert not members.with_status(LEFT, FAILED)  # everything that is gone is erased in the end
