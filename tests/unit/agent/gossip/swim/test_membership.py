"""Claims about members and about the node itself (PROTOCOL, section 6)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip_messages import packet_messages
from support.swim_node import SOURCE, VERSIONS, Harness, address_of, alive, with_settings

from pyconsul.agent.gossip.swim.effects import (
    LeaveFinished,
    LogLine,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    SendStreamPing,
)
from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.membership import AdmitAll
from pyconsul.agent.gossip.swim.rules import MAX_INCARNATION
from pyconsul.agent.gossip.wire.messages import Ack, Alive, Dead, Ping, PushPullNode, Suspect

ALIVE, SUSPECT, DEAD, LEFT = MemberState


def node_in(state: MemberState, incarnation: int = 5) -> Harness:
    """Return a node that knows member `a` in a state."""
    node = Harness("b", "c", "d")
    node.hear(alive("a", incarnation))
    if state is SUSPECT:
        node.hear(Suspect(incarnation, "a", "b"))
    elif state is DEAD:
        node.hear(Dead(incarnation, "a", "b"))
    elif state is LEFT:
        node.hear(Dead(incarnation, "a", "a"))
    node.drain()
    assert node.state_of("a") is state
    return node


def claim(kind: str, incarnation: int) -> Alive | Suspect | Dead:
    if kind == "alive":
        return alive("a", incarnation)
    if kind == "suspect":
        return Suspect(incarnation, "a", "c")
    return Dead(incarnation, "a", "a" if kind == "leaves" else "c")


@pytest.mark.parametrize(
    ("known", "kind", "older", "equal", "newer"),
    [
        (ALIVE, "alive", ALIVE, ALIVE, ALIVE),
        (ALIVE, "suspect", ALIVE, SUSPECT, SUSPECT),
        (ALIVE, "dead", ALIVE, DEAD, DEAD),
        (ALIVE, "leaves", ALIVE, LEFT, LEFT),
        (SUSPECT, "alive", SUSPECT, SUSPECT, ALIVE),
        (SUSPECT, "suspect", SUSPECT, SUSPECT, SUSPECT),
        (SUSPECT, "dead", SUSPECT, DEAD, DEAD),
        (SUSPECT, "leaves", SUSPECT, LEFT, LEFT),
        (DEAD, "alive", DEAD, DEAD, ALIVE),
        (DEAD, "suspect", DEAD, DEAD, DEAD),
        (DEAD, "dead", DEAD, DEAD, DEAD),
        (DEAD, "leaves", DEAD, DEAD, DEAD),
        (LEFT, "alive", LEFT, LEFT, ALIVE),
        (LEFT, "suspect", LEFT, LEFT, LEFT),
        (LEFT, "dead", LEFT, LEFT, LEFT),
        (LEFT, "leaves", LEFT, LEFT, LEFT),
    ],
)
def test_the_state_after_a_claim(
    known: MemberState, kind: str, older: MemberState, equal: MemberState, newer: MemberState
) -> None:
    for incarnation, state in ((4, older), (5, equal), (6, newer)):
        node = node_in(known)
        node.hear(claim(kind, incarnation))
        assert node.state_of("a") is state, f"{kind} with {incarnation}"


@pytest.mark.parametrize("kind", ["suspect", "dead", "leaves"])
def test_claims_about_unknown_members_are_ignored(kind: str) -> None:
    node = Harness("b")
    assert node.hear(claim(kind, 5)) == []
    assert node.state_of("a") is None


def test_an_unknown_member_joins_and_is_made_known() -> None:
    node = Harness("b")
    node.hear(alive("a", 7))
    assert [effect.member.name for effect in node.take(MemberJoined)] == ["a"]
    assert node.broadcasts() == [alive("a", 7)]


def test_a_changed_meta_is_an_update() -> None:
    node = node_in(ALIVE)
    node.hear(alive("a", 6))
    assert node.take(MemberUpdated) == []
    node.hear(alive("a", 7, meta=b"new"))
    assert [effect.member.meta for effect in node.take(MemberUpdated)] == [b"new"]


def test_a_refuted_suspicion_ends() -> None:
    node = node_in(SUSPECT)
    node.hear(alive("a", 6))
    explanation = node.swim.explain("a")
    assert explanation is not None
    assert (explanation.accusers, explanation.suspicion_ends_at) == ((), None)
    node.now = 30
    node.swim.tick(node.now)
    assert node.state_of("a") is ALIVE


def test_a_suspicion_without_confirmation_lasts_six_times_as_long() -> None:
    node = Harness("a", "b", "c", "d", settings=with_settings(probe_interval_s=1.0))
    node.hear(Suspect(1, "a", "b"))
    explanation = node.swim.explain("a")
    assert explanation is not None
    assert (explanation.accusers, explanation.suspicion_ends_at) == (("b",), 24.0)


def test_confirmations_are_passed_on_and_end_the_suspicion_sooner() -> None:
    node = Harness("a", "b", "c", "d", "e")
    node.hear(Suspect(1, "a", "b"))
    assert [effect.source for effect in node.take(MemberSuspected)] == ["b"]
    for accuser in ("b", "c", "d", "e"):
        node.drain()
        node.hear(Suspect(1, "a", accuser))
        assert node.broadcasts() == ([Suspect(1, "a", accuser)] if accuser in ("c", "d") else [])
    node.now = 3.999
    node.effects += node.swim.tick(node.now)
    assert node.state_of("a") is SUSPECT
    node.now = 4.0
    node.effects += node.swim.tick(node.now)
    assert node.state_of("a") is DEAD
    assert [(effect.member.name, effect.source) for effect in node.take(MemberLeft)] == [("a", "self")]
    assert Dead(1, "a", "self") in node.broadcasts()


@pytest.mark.parametrize(("accused", "refutation"), [(1, 2), (7, 8)])
@pytest.mark.parametrize("kind", [Suspect, Dead])
def test_an_accusation_is_refuted(kind: type[Suspect] | type[Dead], accused: int, refutation: int) -> None:
    node = Harness("a")
    node.hear(kind(accused, "self", "a"))
    assert node.swim.local.incarnation == refutation
    assert node.broadcasts() == [alive("self", refutation)]
    assert node.swim.health_score == 1
    assert node.take(LogLine)[0].category == "refuted"


def test_an_outdated_accusation_is_ignored() -> None:
    node = Harness("a")
    node.hear(Suspect(0, "self", "a"))
    assert node.broadcasts() == []


def test_incarnations_near_the_top_are_ignored() -> None:
    node = Harness("a")
    node.hear(Suspect(2**32 - 1, "self", "a"), Dead(MAX_INCARNATION + 1, "self", "a"), alive("self", 2**32 - 1))
    assert node.swim.local.incarnation == 1
    node.hear(Suspect(MAX_INCARNATION + 1, "a", "b"), Dead(2**32 - 1, "a", "b"))
    assert node.state_of("a") is ALIVE


def test_a_restarted_node_takes_over_its_name() -> None:
    node = Harness("a")
    node.hear(alive("self", 40, meta=b"of the former life"))
    assert node.broadcasts() == [alive("self", 41)]


def test_the_own_message_is_no_news() -> None:
    node = Harness("a")
    assert node.hear(alive("self", 1)) == []
    assert node.broadcasts() == []


def moved(name: str, incarnation: int) -> Alive:
    return Alive(incarnation, name, b"\x0a\0\0\xfe", 9, b"", VERSIONS)


@pytest.mark.parametrize("state", [ALIVE, SUSPECT, DEAD])
def test_another_address_is_a_conflict(state: MemberState) -> None:
    node = node_in(state)
    node.hear(moved("a", 99))
    conflicts = node.take(NameConflict)
    assert [(conflict.member.address, conflict.other.address.port) for conflict in conflicts] == [(address_of("a"), 9)]
    assert node.incarnation_of("a") == 5


def test_a_conflict_over_the_own_name_is_told() -> None:
    node = Harness("a")
    node.hear(moved("self", 99))
    assert [conflict.member.name for conflict in node.take(NameConflict)] == ["self"]
    assert node.swim.local.incarnation == 1


def test_a_left_member_may_come_back_with_another_address() -> None:
    node = node_in(LEFT)
    node.hear(moved("a", 1))
    assert node.state_of("a") is ALIVE
    assert node.incarnation_of("a") == 1


@pytest.mark.parametrize(("dead_for_s", "state"), [(29.0, DEAD), (31.0, ALIVE)])
def test_a_dead_member_s_name_is_free_after_the_reclaim_time(dead_for_s: float, state: MemberState) -> None:
    node = Harness("b", settings=with_settings(dead_node_reclaim_s=30.0))
    node.hear(alive("a"), Dead(1, "a", "b"))
    node.now += dead_for_s
    node.hear(moved("a", 1))
    assert node.state_of("a") is state


class SameNode(AdmitAll):
    """Knows every node that comes back with another address."""

    def is_same(self, known: Member, node: Member) -> bool:
        return True


@pytest.mark.parametrize(
    ("claims", "state", "is_moved"),
    [((), ALIVE, False), ((Suspect(1, "a", "b"),), ALIVE, True), ((Dead(1, "a", "b"),), ALIVE, True)],
)
def test_the_same_node_takes_its_name_with_another_address_unless_it_is_alive(
    claims: tuple[Suspect | Dead, ...], state: MemberState, is_moved: bool
) -> None:
    node = Harness("b", admission=SameNode())
    node.hear(alive("a"), *claims)
    node.hear(moved("a", 1))
    assert node.state_of("a") is state
    found = node.swim.members.get("a")
    assert found is not None
    assert (found.address.ip == moved("a", 1).ip) is is_moved


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": b""},
        {"versions": bytes(6)},
        {"versions": bytes((1, 5, 2, 2, 5))},
        {"versions": bytes((3, 2, 2, 2, 5, 4))},
        {"ip": b"\x7f\0\0"},
        {"meta": bytes(513)},
        {"node": ""},
        {"incarnation": MAX_INCARNATION + 1},
    ],
    ids=lambda changes: next(iter(changes)) + str(len(str(changes))),
)
def test_a_node_that_cannot_be_a_member_is_refused(changes: dict[str, object]) -> None:
    node = Harness("b")
    node.hear(msgspec.structs.replace(alive("a"), **changes))
    assert len(node.swim.members) == 2
    assert [line.category for line in node.take(LogLine)] == ["refused member"]


def test_an_ipv4_address_within_ipv6_is_the_same_address() -> None:
    node = Harness("a")
    long_form = msgspec.structs.replace(alive("a", 2), ip=bytes(10) + b"\xff\xff" + address_of("a").ip)
    node.hear(long_form)
    assert node.take(NameConflict) == []
    assert node.incarnation_of("a") == 2


class OnlyNamesWithoutX:
    def refuse(self, node: Member) -> str:
        return "the name has an x" if "x" in node.name else ""

    def refuse_merge(self, nodes: tuple[PushPullNode, ...]) -> str:
        return ""


def test_the_delegate_may_refuse_a_member() -> None:
    node = Harness("x", "y", admission=OnlyNamesWithoutX())
    assert [member.name for member in node.swim.members] == ["self", "y"]


def test_new_meta_data_gets_a_new_incarnation() -> None:
    node = Harness("a")
    effects = node.swim.set_meta(b"new", node.now)
    assert effects == [MemberUpdated(node.swim.local)]
    assert node.broadcasts() == [alive("self", 2, meta=b"new")]
    with pytest.raises(ValueError, match="513 bytes"):
        node.swim.set_meta(bytes(513), node.now)


def test_leaving() -> None:
    node = Harness("a")
    node.effects += node.swim.leave(node.now)
    assert node.broadcasts() == [Dead(1, "self", "self")]
    assert node.take(LeaveFinished) == []
    node.hear(alive("self", 9), Dead(9, "self", "a"))
    assert node.swim.local.state is LEFT
    node.run_for(3)
    assert len(node.take(LeaveFinished)) == 1


def test_a_leaving_node_answers_probes_and_sends_none() -> None:
    node = Harness("a")
    node.swim.leave(node.now)
    node.drain()
    node.run_for(10)
    assert node.take(SendStreamPing) == []
    assert node.state_of("a") is ALIVE
    node.hear(Ping(1, "self"))
    assert node.sent() == [(SOURCE, Ack(1))]


def test_leaving_alone_is_done_at_once() -> None:
    node = Harness()
    node.effects += node.swim.leave(node.now)
    assert len(node.take(LeaveFinished)) == 1


@given(st.lists(st.lists(packet_messages(), max_size=5), max_size=10), st.integers(0, 100))
def test_any_messages_leave_a_working_node(packets: list[list[object]], seed: int) -> None:
    node = Harness("a", "b", seed=seed)
    for packet in packets:
        node.hear(*packet, source=SOURCE)  # type: ignore[arg-type]
        node.run_for(0.7)
    assert node.swim.local.state is ALIVE
    assert node.swim.members.get("self") is node.swim.local
    node.run_for(10)
    assert node.swim.deadline() >= node.now
