"""Caches: answers are kept while they are true, and not longer."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dns_catalog import Catalog, ask, lines

from pyconsul.agent.dnsd import responder as responding
from pyconsul.agent.dnsd.cache import ORDERINGS, ROUNDS, Orderings, TopicCache
from pyconsul.agent.dnsd.responder import Later
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import QueryResult
from pyconsul.agent.state.catalog import services
from pyconsul.agent.state.watches import Watches


def packet(name: str, rdtype: str = "A") -> bytes:
    return dns.message.make_query(name, rdtype, use_edns=False).to_wire()


def test_an_answer_is_cached_when_it_is_asked_for_again(catalog: Catalog) -> None:
    catalog.many(1)
    responder = catalog.responder()
    kept = responder._answers[True]
    for expected in (0, 1, 1):
        ask(responder, "web.service.consul")
        assert len(kept) == expected
    ask(responder, "web.service.consul", udp=False)
    assert len(responder._answers[False]) == 1


@pytest.mark.parametrize("rdtype", ["A", "SRV"])
def test_whatever_changes_a_service_is_seen_at_once(catalog: Catalog, rdtype: str) -> None:
    responder = catalog.responder()

    def targets() -> int:
        counts = {len(lines(ask(responder, "web.service.consul", rdtype, udp=False).answer)) for _ in range(3)}
        assert len(counts) == 1
        return counts.pop()

    assert targets() == 0
    catalog.many(3)
    assert targets() == 3
    catalog.check("n001", "critical", "web")
    assert targets() == 2
    catalog.check("n002", "critical", id="node")
    assert targets() == 1
    catalog.check("n001", "passing", "web")
    assert targets() == 2
    catalog.remove_service("n001", "web")
    assert targets() == 1
    catalog.remove_node("n003")
    assert targets() == 0
    catalog.remove_node("n002")
    assert targets() == 0
    catalog.service("n001", "web")
    assert targets() == 1
    catalog.node("n001", "10.9.9.9")
    assert lines(ask(responder, "web.service.consul", udp=False).answer) == ["web.service.consul. 0 A 10.9.9.9"]


def test_changes_of_nodes_and_of_other_services_are_distinguished(catalog: Catalog) -> None:
    catalog.many(1)
    responder = catalog.responder()
    for _ in range(2):
        for name in ("web.service.consul", "n001.node.consul", "new.node.consul", "5.0.0.10.in-addr.arpa"):
            ask(responder, name)
    assert len(responder._answers[True]) == 4
    catalog.node("new", "10.0.0.5")
    assert set(responder._answers[True].values) == {packet("web.service.consul")[2:]}
    assert lines(ask(responder, "new.node.consul").answer) == ["new.node.consul. 0 A 10.0.0.5"]
    assert lines(ask(responder, "5.0.0.10.in-addr.arpa", "PTR").answer)


def test_followed_names_are_watched_too(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "end", address="10.0.0.9")
    catalog.service("a", "one", address="end.service.consul")
    responder = catalog.responder()
    for _ in range(3):
        assert "10.0.0.9" in lines(ask(responder, "one.service.consul").answer)[0]
    catalog.service("a", "end", address="10.0.0.10")
    assert "10.0.0.10" in lines(ask(responder, "one.service.consul").answer)[0]


def test_nothing_is_left_watching(catalog: Catalog) -> None:
    catalog.many(2)
    responder = catalog.responder()
    for _ in range(3):
        ask(responder, "web.service.consul")
        ask(responder, "n001.node.consul")
    assert len(catalog.store.watches) > 0
    responder.forget()
    assert len(catalog.store.watches) == 0


def test_other_settings_count_at_once(catalog: Catalog) -> None:
    catalog.many(1)
    responder = catalog.responder()
    for _ in range(3):
        ask(responder, "web.service.consul")
    responder.reconfigure(Settings(service_ttl={"*": 30}))
    assert lines(ask(responder, "web.service.consul").answer) == ["web.service.consul. 30 A 10.0.0.1"]


def test_prepared_queries(catalog: Catalog) -> None:
    catalog.many(2)
    asked: list[tuple[str, str]] = []

    def execute(name: str, source: str) -> QueryResult | None:
        asked.append((name, source))
        found = services.with_checks(catalog.store, services.instances(catalog.store, "web"))
        known = {"with.dots": 60, "plain": None, "empty": 5}
        return QueryResult("web", "dc1", [] if name == "empty" else found, known[name]) if name in known else None

    responder = catalog.responder(Settings(service_ttl={"web": 3}), execute_query=execute)
    assert lines(ask(responder, "With.Dots.query.consul").answer)[0] == "With.Dots.query.consul. 60 A 10.0.0.1"
    srv = ask(responder, "_plain._tcp.query.dc1.consul", "SRV")
    assert lines(srv.answer)[0] == "_plain._tcp.query.dc1.consul. 3 SRV 1 1 80 n001.node.dc1.consul."
    assert asked == [("with.dots", "192.0.2.1"), ("plain", "192.0.2.1")]
    for name in ("empty", "nosuch"):
        assert ask(responder, f"{name}.query.consul").rcode() == dns.rcode.NXDOMAIN
    none = ask(responder, "plain.query.consul", "AAAA")
    assert none.rcode() == dns.rcode.NOERROR
    assert len(none.authority) == 1
    for _ in range(3):
        ask(responder, "plain.query.consul")
    assert len(responder._answers[True]) == 0  # they named no topics


def test_a_query_that_names_its_topics_is_cached(catalog: Catalog) -> None:
    catalog.many(2)

    def execute(name: str, source: str) -> QueryResult:
        found = services.with_checks(catalog.store, services.instances(catalog.store, "web"))
        return QueryResult("web", "dc1", found, topics=("service.web", "prepared-queries"))

    responder = catalog.responder(execute_query=execute)
    for _ in range(3):
        assert len(lines(ask(responder, "q.query.consul").answer)) == 2
    assert len(responder._answers[True]) == 1
    catalog.remove_node("n001")
    assert len(lines(ask(responder, "q.query.consul").answer)) == 1


def test_a_failing_part_is_a_server_failure_and_no_more(catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    def execute(name: str, source: str) -> QueryResult | None:
        raise RuntimeError("broken")

    answer = ask(catalog.responder(execute_query=execute), "q.query.consul", edns=1232)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert "could not be answered" in caplog.text


def test_answers_from_recursors_come_later(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1")
    catalog.service("a", "named", address="www.example.com")
    responder = catalog.responder(Settings(recursors=(("127.0.0.1", 1),)))
    for name in ("www.example.com", "9.9.9.9.in-addr.arpa", "named.service.consul"):
        assert isinstance(responder.respond(packet(name), True, ""), Later)
    assert isinstance(responder.respond(packet("a.node.consul"), True, ""), bytes)


def test_the_cache_is_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(responding.MAX_CACHE_BYTES, True, 6 * responding.OVERHEAD)
    monkeypatch.setattr(responding, "MAX_ONCE", 20)
    responder = catalog.responder()
    for number in range(50):
        for _ in range(2):
            ask(responder, f"s{number}.service.consul")
    assert len(responder._answers[True]) == 5
    assert len(catalog.store.watches) == 5


def test_orderings_grow_and_are_renewed() -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(len(made) + 1)
        return b"%d" % made[-1]

    orderings = Orderings(b"0", make)
    taken = [orderings.take() for _ in range(ROUNDS * 2)]
    assert sorted(set(taken)) == [b"0", b"1"]
    for _ in range(20_000):
        taken.append(orderings.take())
    assert len(set(taken)) == len(made) + 1 > 2 * ORDERINGS
    assert len(made) < len(taken) / ORDERINGS
    single = Orderings(b"x", None)
    assert {single.take() for _ in range(1000)} == {b"x"}


def test_kept_values_go_by_topic() -> None:
    watches = Watches()
    kept: TopicCache[str, int] = TopicCache(watches, 10)
    kept.put("a", 1, ("x", "y"), 1)
    kept.put("b", 2, ("y",), 1)
    kept.put("c", 3, (), 1)
    watches.fire(["x"])
    assert kept.values == {"b": 2, "c": 3}
    kept.put("b", 4, ("z",), 1)
    watches.fire(["y"])
    assert kept.values == {"b": 4, "c": 3}
    watches.fire(["z"])
    assert kept.values == {"c": 3}
    assert len(watches) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 12)), max_size=40))
def test_kept_values_never_take_more_room_than_there_is(steps: list[tuple[int, int, int]]) -> None:
    watches = Watches()
    kept: TopicCache[int, int] = TopicCache(watches, 20)
    for key, topic, size in steps:
        if size > 10:
            watches.fire([f"t{topic}"])
            continue
        kept.put(key, size, (f"t{topic}",), size)
        assert (key in kept.values) == (size <= 5)
        assert sum(kept.values.values()) <= 20
    watches.fire([f"t{topic}" for topic in range(4)])
    assert len(kept) == len(watches) == 0
