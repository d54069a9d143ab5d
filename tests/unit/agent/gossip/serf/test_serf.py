"""Several agents' Serf in one pool, in virtual time: joins, leaves, failures, events, push/pull, and hostile input."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip import VirtualAgent, VirtualPool, member, node

from pyconsul.agent.gossip.serf.effects import (
    Broadcast,
    LeaveMembership,
    LeftPool,
    LogLine,
    MemberChanged,
    Queue,
    Reconnect,
    UserEventReceived,
)
from pyconsul.agent.gossip.serf.serf import Serf
from pyconsul.agent.gossip.serf.settings import HOUR_S, SerfSettings
from pyconsul.agent.gossip.serf.snapshot import Contents
from pyconsul.agent.gossip.wire.serf_messages import (
    Join,
    Leave,
    State,
    UserEvent,
    decode_serf_message,
    encode_serf_message,
)
from pyconsul.agent.gossip.wire.serf_payloads import CoordinatePayload, decode_coordinate, encode_coordinate
from pyconsul.agent.model.member import MemberEvent, MemberStatus, UnknownMember

ALIVE, LEAVING, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEAVING, MemberStatus.LEFT, MemberStatus.FAILED


def changes(agent: VirtualAgent) -> list[tuple[MemberEvent, str]]:
    return [(effect.event, effect.member.name) for effect in agent.take(MemberChanged)]


def deployed(agent: VirtualAgent) -> list[tuple[int, str]]:
    return [(effect.time, effect.name) for effect in agent.take(UserEventReceived)]


def joined(*names: str) -> VirtualPool:
    pool = VirtualPool(*names)
    for agent in pool.agents.values():
        agent.carry_out(agent.serf.intents.announce_join(pool.now))
    for agent in pool.agents.values():
        agent.delivered.clear()
    return pool


def test_members_see_each_other_join() -> None:
    pool = VirtualPool("a", "b")
    assert changes(pool["a"]) == [(MemberEvent.JOIN, "a"), (MemberEvent.JOIN, "b")]
    assert [it.name for it in pool["b"].serf.members] == ["a", "b"]
    effects = pool["a"].serf.intents.announce_join(0.0)
    assert decode_serf_message(effects[0].message) == Join(1, "a")  # type: ignore[union-attr]
    assert pool["a"].serf.intents.clock.time == 2


def test_a_member_that_leaves_is_left_everywhere() -> None:
    pool = joined("a", "b", "c")
    leaver = pool["c"]
    leaver.carry_out(leaver.serf.intents.leave(0.0))
    assert leaver.take(LeaveMembership) == [LeaveMembership()]
    assert pool["a"].status("c") is LEAVING
    pool["c"].is_up = True
    for name in ("a", "b"):
        pool[name].carry_out(pool[name].serf.node_down("c", 1.0))
        assert changes(pool[name]) == [(MemberEvent.LEAVE, "c")]
        assert pool[name].status("c") is LEFT
    assert leaver.serf.intents.leaving.membership_left(1.0) == ()
    assert list(leaver.serf.tick(4.0)) == [LeftPool()]


def test_a_member_that_crashes_is_failed_and_can_be_forced_to_leave() -> None:
    pool = joined("a", "b", "c")
    pool.down("c")
    assert changes(pool["a"]) == [(MemberEvent.FAILED, "c")]
    assert pool["b"].status("c") is FAILED
    pool["a"].carry_out(pool["a"].serf.intents.force_leave("c", 1.0, prune=False))
    assert changes(pool["a"]) == [(MemberEvent.LEAVE, "c")]
    assert pool["b"].status("c") is LEFT
    pool["a"].carry_out(pool["a"].serf.intents.force_leave("c", 2.0, prune=True))
    assert changes(pool["b"])[-1] == (MemberEvent.REAP, "c")
    assert pool["a"].status("c") is None
    with pytest.raises(UnknownMember):
        pool["a"].serf.intents.force_leave("c", 3.0, prune=False)


def test_an_alive_member_refutes_a_forced_leave() -> None:
    pool = joined("a", "b", "c")
    for prune in (False, True):
        for victim in ("c", "a"):  # also the agent itself, as recorded
            pool["a"].carry_out(pool["a"].serf.intents.force_leave(victim, pool.now, prune=prune))
            pool.wait(20.0)
            assert [agent.status(victim) for agent in pool.agents.values()] == [ALIVE] * 3
    pool.down("c")
    assert pool["a"].status("c") is FAILED


def test_the_only_other_member_refutes_a_forced_leave() -> None:
    """Serf does not send the intent then, so that the member stays leaving."""
    pool = joined("a", "b")
    pool["a"].carry_out(pool["a"].serf.intents.force_leave("b", 0.0, prune=False))
    assert pool["a"].status("b") is ALIVE


def test_a_left_member_is_learned_by_push_pull() -> None:
    pool = joined("a", "b", "c")
    pool.loses = lambda sender, receiver: receiver == "b"
    pool["c"].carry_out(pool["c"].serf.intents.leave(0.0))
    pool["c"].is_up = False
    pool["a"].carry_out(pool["a"].serf.node_down("c", 1.0))
    pool["b"].carry_out(pool["b"].serf.node_down("c", 1.0))
    assert (pool["a"].status("c"), pool["b"].status("c")) == (LEFT, FAILED)
    pool.push_pull(pool["b"], pool["a"])
    assert pool["b"].status("c") is LEFT
    assert changes(pool["b"])[-1] == (MemberEvent.LEAVE, "c")


def test_a_push_pull_does_not_outrun_the_intent_of_a_member_that_leaves() -> None:
    pool = joined("a", "b", "c")
    pool.loses = lambda sender, receiver: receiver == "b"
    pool["c"].carry_out(pool["c"].serf.intents.leave(0.0))
    assert (pool["a"].status("c"), pool["b"].status("c")) == (LEAVING, ALIVE)
    pool.push_pull(pool["b"], pool["a"])
    assert pool["b"].status("c") is LEAVING
    assert pool["b"].serf.members.status_times() == pool["a"].serf.members.status_times()
    assert pool["b"].serf.node_down("c", 1.0) == (MemberChanged(MemberEvent.LEAVE, pool["b"].serf.members.get("c")),)  # type: ignore[arg-type]


def test_a_restarted_agent_that_others_think_left_refutes_it() -> None:
    pool = joined("a", "b")
    b = pool["b"].serf
    state = State(time=9, status_times={"b": 7}, left_members=("b",), event_time=1, events=None, query_time=1)
    effects = b.merge_state(encode_serf_message(state), 1.0, join=True)
    broadcast = [effect for effect in effects if isinstance(effect, Broadcast)]
    assert [decode_serf_message(effect.message) for effect in broadcast] == [Join(9, "b")]
    assert b.members.get("b") == member("b", address="10.0.0.2")


def test_an_agent_announces_itself_again_if_a_peer_heard_of_it_from_others() -> None:
    """Serf sends a member that it takes for leaving like one that has joined."""
    pool = joined("a", "b")
    serf = pool["b"].serf
    state = State(time=9, status_times={"b": 7}, left_members=(), event_time=1, events=None, query_time=1)
    (effect,) = serf.merge_state(encode_serf_message(state), 1.0, join=False)
    assert isinstance(effect, Broadcast)
    assert decode_serf_message(effect.message) == Join(9, "b")
    assert serf.merge_state(encode_serf_message(state), 1.0, join=False) == []
    serf.intents.leave(2.0)
    state = State(time=99, status_times={"b": 90}, left_members=(), event_time=1, events=None, query_time=1)
    assert serf.merge_state(encode_serf_message(state), 3.0, join=False) == []


def test_push_pull_carries_clocks_status_times_and_the_buffer() -> None:
    pool = joined("a", "b")
    serf = pool["a"].serf
    serf.events.fire("deploy", b"v1", coalesce=False)
    serf.node_down("b", 0.0)
    state = decode_serf_message(serf.local_state())
    assert isinstance(state, State)
    assert (state.time, state.event_time, state.query_time) == (3, 2, 1)
    assert state.status_times == {"a": 1, "b": 2}
    assert state.left_members == ()
    assert state.events
    assert len(state.events) == 512
    assert state.events[1]


def test_invalid_times_of_a_push_pull_are_left_out() -> None:
    pool = joined("a", "b", "c")
    top = (1 << 64) - 1
    state = State(
        time=top,
        status_times={"b": top, "c": top - 1},
        left_members=("c",),
        event_time=top,
        events=None,
        query_time=top,
    )
    assert pool["a"].serf.merge_state(encode_serf_message(state), 1.0, join=False) == []
    assert pool["a"].serf.members.status_times() == {"a": 1, "b": 2, "c": 3}
    assert pool["a"].status("c") is ALIVE
    assert pool["a"].serf.intents.clock.time == 4


def test_clocks_are_witnessed_in_push_pull() -> None:
    serf = VirtualPool("a")["a"].serf
    state = State(time=50, status_times={}, left_members=None, event_time=60, events=None, query_time=70)
    serf.merge_state(encode_serf_message(state), 0.0, join=False)
    assert (serf.intents.clock.time, serf.events.clock.time, serf.queries.clock.time) == (50, 60, 70)


def test_events_reach_all_members_once() -> None:
    pool = joined("a", "b", "c", "d")
    _, effects = pool["b"].serf.events.fire("deploy", b"v1", coalesce=False)
    pool["b"].carry_out(effects)
    assert [deployed(agent) for agent in pool.agents.values()] == [[(1, "deploy")]] * 4


def test_a_member_that_missed_an_event_gets_it_by_push_pull_once() -> None:
    pool = joined("a", "b", "c")
    pool.loses = lambda sender, receiver: receiver == "c"
    pool["a"].carry_out(pool["a"].serf.events.fire("deploy", b"v1", coalesce=False)[1])
    assert deployed(pool["c"]) == []
    pool.push_pull(pool["c"], pool["a"])
    pool.push_pull(pool["b"], pool["c"])
    assert deployed(pool["c"]) == [(1, "deploy")]


def test_a_joining_agent_ignores_old_events() -> None:
    for ignores, seen in ((True, [(2, "restart")]), (False, [(1, "deploy"), (2, "restart")])):
        pool = VirtualPool("a", ignore_old_events_on_join=ignores)
        pool["a"].carry_out(pool["a"].serf.events.fire("deploy", b"", coalesce=False)[1])
        late = pool.add("b")
        pool.push_pull(late, pool["a"], join=True)
        pool["a"].carry_out(pool["a"].serf.events.fire("restart", b"", coalesce=False)[1])
        assert deployed(late) == seen


def test_the_snapshot_s_clocks_are_taken_up() -> None:
    contents = Contents({}, clock=7, event_clock=8, query_clock=9)
    serf = Serf(SerfSettings(node_name="a"), random.Random(1), 0.0, snapshot=contents)
    assert (serf.intents.clock.time, serf.events.clock.time, serf.queries.clock.time) == (8, 9, 10)
    assert serf.receive(encode_serf_message(UserEvent(8, "old", b"", False)), 0.0) == ()
    assert serf.receive(encode_serf_message(UserEvent(9, "new", b"", False)), 0.0) != ()


def test_members_are_reaped_by_the_timer() -> None:
    pool = joined("a", "b", "c")
    pool.down("c")
    pool.wait(72 * HOUR_S)
    assert pool["a"].status("c") is FAILED
    pool.wait(30.0)
    assert pool["a"].status("c") is None
    assert (MemberEvent.REAP, "c") in changes(pool["a"])


def test_failed_members_are_tried_again_in_proportion_to_their_number() -> None:
    pool = joined(*"abcdefghij")
    pool.wait(3000.0)
    assert pool["a"].take(Reconnect) == []
    for name in "hij":
        pool.down(name)
    pool.wait(30.0 * 1000)
    tried = pool["a"].take(Reconnect)
    assert 0.38 < len(tried) / 1000 < 0.48  # 3 failed, 7 alive
    assert {effect.member.name for effect in tried} == set("hij")


def test_an_agent_that_leaves_does_not_try_failed_members() -> None:
    pool = joined("a", "b", "c")
    pool.down("c")
    pool["a"].carry_out(pool["a"].serf.intents.leave(pool.now))
    pool.wait(30.0 * 100)
    assert pool["a"].take(Reconnect) == []


def test_an_updated_node() -> None:
    pool = joined("a", "b")
    pool["a"].carry_out(pool["a"].serf.node_updated(node(member("b", tags={"role": "web"}))))
    assert changes(pool["a"]) == [(MemberEvent.UPDATE, "b")]
    found = pool["a"].serf.members.get("b")
    assert found
    assert found.tags == {"role": "web"}


def test_coordinates_ride_on_acks() -> None:
    pool = joined("a", "b")
    a, b = pool["a"].serf, pool["b"].serf
    assert a.probe_acknowledged("b", 0.02, b.ack_payload()) == ()
    assert a.coordinates.peer("b") == b.coordinates.coordinate
    assert decode_coordinate(a.ack_payload()).vector == tuple(a.coordinates.coordinate.vec)
    assert any(a.coordinates.coordinate.vec)
    assert a.probe_acknowledged("b", 0.02, b"") == ()
    bad = encode_coordinate(CoordinatePayload((float("nan"),) * 8, 0.1, 0.0, 0.0))
    for payload in (bad, b"\x02", b"\x01", b"\x01\xc1"):
        assert [type(effect) for effect in a.probe_acknowledged("b", 0.02, payload)] == [LogLine]
    a.node_down("b", 0.0)
    assert a.coordinates.peer("b") is None


def test_an_intent_is_rebroadcast_byte_for_byte_in_place_of_an_older_one() -> None:
    serf = VirtualPool("a", "b")["a"].serf
    data = encode_serf_message(Leave(5, "b", False)) + b"more"
    assert serf.receive(data, 0.0) == [Broadcast(Queue.INTENTS, data, replaces="b")]
    assert serf.receive(data, 0.0) == []


MESSAGES = st.one_of(
    st.builds(Join, st.integers(0, (1 << 64) - 1), st.sampled_from("abc")),
    st.builds(Leave, st.integers(0, (1 << 64) - 1), st.sampled_from("abc"), st.booleans()),
    st.builds(UserEvent, st.integers(0, (1 << 64) - 1), st.text(), st.none() | st.binary(), st.booleans()),
).map(encode_serf_message)


@given(st.lists(MESSAGES | st.binary(max_size=40)), st.booleans())
def test_any_message_is_survived(messages: list[bytes], join: bool) -> None:
    pool = VirtualPool("a", "b")
    agent = pool["a"]
    for data in messages:
        agent.carry_out(agent.serf.receive(data, pool.now))
        agent.carry_out(agent.serf.merge_state(data, pool.now, join=join))
        pool.wait(10.0)
    assert agent.status("a") is ALIVE
    assert isinstance(decode_serf_message(agent.serf.local_state()), State)
