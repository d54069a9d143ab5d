"""Queries between the agents of a virtual pool: filters, acks, answers, relays, limits."""

from __future__ import annotations

import random

import pytest
from support.gossip import VirtualAgent, VirtualPool, ask, categories

from pyconsul.agent.gossip.serf.effects import (
    Broadcast,
    Effects,
    LogLine,
    QueryAcked,
    QueryAnswered,
    QueryClosed,
    QueryReceived,
    ReceivedQuery,
    SendMessage,
)
from pyconsul.agent.gossip.serf.queries.exchange import QueryError
from pyconsul.agent.gossip.serf.queries.filters import InvalidFilter
from pyconsul.agent.gossip.serf.serf import Serf
from pyconsul.agent.gossip.serf.settings import SerfSettings, query_timeout_s
from pyconsul.agent.gossip.wire.serf_messages import (
    Query,
    QueryResponse,
    Relay,
    UserEvent,
    decode_serf_message,
    encode_serf_message,
)


def received(agent: VirtualAgent) -> list[ReceivedQuery]:
    return [effect.query for effect in agent.take(QueryReceived)]


def respond(agent: VirtualAgent, query: ReceivedQuery, payload: bytes) -> None:
    agent.carry_out(agent.serf.queries.respond(query, payload, agent.pool.now))


def answers(agent: VirtualAgent) -> dict[str, bytes]:
    return {effect.node: effect.payload for effect in agent.take(QueryAnswered)}


def query_of(asker: VirtualAgent, **fields: object) -> bytes:
    """An encoded query as it arrives from another agent."""
    values = {
        "time": 5,
        "id": 77,
        "ip": bytes([10, 0, 0, 9]),
        "port": 8301,
        "source_node": asker.name,
        "filters": None,
        "flags": 0,
        "relay_factor": 0,
        "timeout_ns": 1_000_000_000,
        "name": "uptime",
        "payload": b"?",
        **fields,
    }
    return encode_serf_message(Query(**values))


def test_a_query_reaches_all_members_and_their_answers_come_back() -> None:
    pool = VirtualPool("a", "b", "c")
    handle = ask(pool["a"])
    for agent in pool.agents.values():
        (query,) = received(agent)
        assert (query.name, query.payload, query.source_node) == ("uptime", b"?", "a")
        respond(agent, query, f"{agent.name} 5 days".encode())
    assert answers(pool["a"]) == {name: f"{name} 5 days".encode() for name in "abc"}
    assert pool["b"].delivered == []
    pool.wait(3.1)
    assert pool["a"].take(QueryClosed) == []
    pool.wait(0.2)  # 16 gossip intervals of 200 ms
    assert pool["a"].take(QueryClosed) == [QueryClosed(handle)]


def test_each_query_is_closed_at_its_own_time() -> None:
    pool = VirtualPool("a")
    long = ask(pool["a"], timeout_s=9.0)
    short = ask(pool["a"], timeout_s=1.0)
    pool.wait(1.1)
    assert pool["a"].take(QueryClosed) == [QueryClosed(short)]
    pool.wait(8.0)
    assert pool["a"].take(QueryClosed) == [QueryClosed(long)]


def test_acks_come_from_those_that_pass_the_filters() -> None:
    pool = VirtualPool()
    pool.add("a", tags={"role": "web"})
    pool.add("b", tags={"role": "webserver"})
    pool.add("c", tags={"role": "db"})
    ask(pool["a"], tags={"role": "^web"}, wants_ack=True)
    assert {effect.node for effect in pool["a"].delivered if isinstance(effect, QueryAcked)} == {"a", "b"}
    assert received(pool["b"])
    assert received(pool["c"]) == []
    pool["a"].delivered.clear()
    ask(pool["a"], nodes=["c", "b"], tags={"role": "s", "dc": "^$"}, wants_ack=True)
    assert [effect.node for effect in pool["a"].take(QueryAcked)] == ["b"]


def test_a_query_is_rebroadcast_once_also_if_it_is_filtered_out() -> None:
    pool = VirtualPool("a", "b")
    serf = pool["b"].serf
    data = query_of(pool["a"], filters=(b"\x00\x91\xa1x",)) + b"more"
    (effect,) = serf.receive(data, 0.0)
    assert isinstance(effect, Broadcast)
    assert effect.message == data
    assert serf.receive(data, 0.0) == ()
    silent = serf.receive(query_of(pool["a"], id=78, flags=2), 0.0)
    assert [type(effect) for effect in silent] == [QueryReceived]


@pytest.mark.parametrize("query_filter", [b"", b"\x00", b"\x02\x90", b"\x01\x82\xa4Expr\xa1(\xa3Tag\xa4role"])
def test_a_filter_that_cannot_be_read_holds_for_nobody(query_filter: bytes) -> None:
    pool = VirtualPool("a", "b")
    effects = pool["b"].serf.receive(query_of(pool["a"], filters=(query_filter,)), 0.0)
    assert [type(effect) for effect in effects] == [Broadcast, LogLine]


def test_a_faulty_expression_is_refused_where_the_query_is_asked() -> None:
    with pytest.raises(InvalidFilter, match="missing closing"):
        ask(VirtualPool("a")["a"], tags={"role": "("})


def test_an_answer_must_be_single_in_time_and_small_enough() -> None:
    pool = VirtualPool("a", "b")
    ask(pool["a"])
    (query,) = received(pool["b"])
    with pytest.raises(QueryError, match="exceeds limit of 1024 bytes"):
        respond(pool["b"], query, bytes(1024))
    respond(pool["b"], query, b"ok")
    with pytest.raises(QueryError, match="already"):
        respond(pool["b"], query, b"ok")
    ask(pool["a"])
    (query,) = received(pool["b"])
    pool.wait(3.3)
    with pytest.raises(QueryError, match="deadline"):
        respond(pool["b"], query, b"late")


def test_late_foreign_repeated_and_strange_answers_are_dropped() -> None:
    pool = VirtualPool("a", "b")
    handle = ask(pool["a"])

    def answer(time: int, number: int, source: str, flags: int = 0) -> Effects:
        return pool["a"].serf.receive(encode_serf_message(QueryResponse(time, number, source, flags, b"x")), pool.now)

    assert answer(handle.time, handle.id + 1, "b") == ()
    assert answer(handle.time + 1, handle.id, "b") == ()
    assert answer(handle.time, handle.id, "nobody") == ()
    assert answer(handle.time, handle.id, "b", flags=1) == ()  # no ack was asked for
    assert answer(handle.time, handle.id, "b") == (QueryAnswered(handle, "b", b"x"),)
    assert answer(handle.time, handle.id, "b") == ()
    pool.now += 3.3
    assert answer(handle.time, handle.id, "a") == ()


def test_queries_are_limited_in_size() -> None:
    pool = VirtualPool("a", "b")
    with pytest.raises(QueryError, match="query exceeds limit of 1024 bytes"):
        ask(pool["a"], payload=bytes(1024))
    effects = pool["b"].serf.receive(query_of(pool["a"], payload=bytes(10_000)), 0.0)
    assert categories(effects) == ["query-too-large"]


def test_the_default_timeout_grows_with_the_number_of_members() -> None:
    assert query_timeout_s(0.2, 1) == pytest.approx(3.2)
    assert query_timeout_s(0.2, 9) == pytest.approx(3.2)
    assert query_timeout_s(0.2, 10) == pytest.approx(6.4)
    assert query_timeout_s(0.2, 1000) == pytest.approx(12.8)


def test_hostile_times_of_queries() -> None:
    pool = VirtualPool("a", "b")
    serf = pool["b"].serf
    assert categories(serf.receive(query_of(pool["a"], time=(1 << 64) - 1), 0.0)) == ["query-invalid"]
    serf.receive(query_of(pool["a"], time=1000), 0.0)
    assert categories(serf.receive(query_of(pool["a"], time=400), 0.0)) == ["query-expired"]
    for number, timeout_ns in enumerate((-1, 0, (1 << 63) - 1)):
        effects = serf.receive(query_of(pool["a"], time=1001, id=number, timeout_ns=timeout_ns), 0.0)
        (query,) = [effect.query for effect in effects if isinstance(effect, QueryReceived)]
        assert 0.0 <= query.deadline <= 3600.0


def test_answers_reach_the_asker_through_relays() -> None:
    pool = VirtualPool("a", "b", "c", "d")
    pool.loses = lambda sender, receiver: (sender, receiver) == ("b", "a")
    for relay_factor, expected in ((0, {"a": b"!", "c": b"!", "d": b"!"}), (2, dict.fromkeys("abcd", b"!"))):
        ask(pool["a"], relay_factor=relay_factor)
        for agent in pool.agents.values():
            for query in received(agent):
                respond(agent, query, b"!")
            if agent.name != "a":
                agent.delivered.clear()
        found: dict[str, bytes] = answers(pool["a"])
        # The first agent's own answer was given before the others', so that it was taken with its queries.
        assert {"a": b"!", **found} == expected


def test_relays_are_few_alive_others() -> None:
    pool = VirtualPool(*"abcdefghij")
    pool.down("c")
    serf = pool["b"].serf
    data = query_of(pool["a"], relay_factor=255, flags=1)
    sent = [effect for effect in serf.receive(data, 0.0) if isinstance(effect, SendMessage)]
    assert len(sent) == 1 + 5  # the asker, and at most five relays
    assert {effect.node for effect in sent[1:]} <= set("defghij")
    assert len({effect.node for effect in sent}) == 6
    relayed = decode_serf_message(sent[1].message)
    assert isinstance(relayed, Relay)
    assert (relayed.ip, relayed.node, relayed.message) == (bytes([10, 0, 0, 9]), "a", sent[0].message)
    small = VirtualPool("a", "b")["b"].serf
    effects = small.receive(query_of(pool["a"], relay_factor=2, flags=1), 0.0)
    assert sum(isinstance(effect, SendMessage) for effect in effects) == 1


def test_only_query_responses_are_relayed() -> None:
    serf = VirtualPool("a", "b")["a"].serf
    response = encode_serf_message(QueryResponse(1, 2, "b", 0, b""))
    relay = Relay(bytes([10, 0, 0, 2]), 8301, "b", response)
    assert serf.receive(encode_serf_message(relay), 0.0) == (SendMessage(bytes([10, 0, 0, 2]), 8301, "b", response),)
    event = encode_serf_message(UserEvent(1, "x", b"", False))
    for inner in (event, b"", encode_serf_message(relay)):
        effects = serf.receive(encode_serf_message(Relay(bytes(4), 1, "b", inner)), 0.0)
        assert categories(effects) == ["relay"]


def test_internal_queries_are_not_delivered_to_users() -> None:
    pool = VirtualPool("a", "b")
    ask(pool["a"], "_serf_ping", wants_ack=True)
    assert {effect.node for effect in pool["a"].take(QueryAcked)} == {"a", "b"}
    ask(pool["a"], "_serf_unknown")
    assert categories(pool["b"].delivered) == ["internal-query"]
    assert received(pool["b"]) == []


def test_a_query_needs_an_own_address() -> None:
    serf = Serf(SerfSettings(node_name="a"), random.Random(1), 0.0)
    with pytest.raises(QueryError, match="not a member yet"):
        serf.queries.ask("uptime", b"", 0.0)
