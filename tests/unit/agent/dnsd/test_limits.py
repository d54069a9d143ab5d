"""How answers are cut: records and sizes over UDP, whole answers over TCP, EDNS."""

from __future__ import annotations

import random
from collections import Counter

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dns_catalog import NOW, Catalog, ask, lines

from pyconsul.agent.dnsd.answer import AnswerContext, answer, subject_of
from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import QueryResult, WholeState
from pyconsul.agent.dnsd.wire import encode, trim
from pyconsul.agent.dnsd.wire.packed import Rotation
from pyconsul.agent.dnsd.wire.question import parse
from pyconsul.agent.state.catalog import services

TRUNCATE = Settings(enable_truncate=True)


@pytest.mark.parametrize("rdtype", ["A", "SRV"])
@pytest.mark.parametrize(("limit", "expected"), [(3, 3), (4, 4), (20, 8)])
def test_records_over_udp_without_edns(catalog: Catalog, rdtype: str, limit: int, expected: int) -> None:
    catalog.many(20)
    responder = catalog.responder(Settings(udp_answer_limit=limit, enable_truncate=True))
    found = ask(responder, "web.service.consul", rdtype)
    if rdtype == "SRV":
        expected = min(expected, 4)  # measured with all names written out, more do not fit into 512 bytes
    assert len(lines(found.answer)) == expected
    assert found.flags & dns.flags.TC
    assert len(lines(found.additional)) == (expected if rdtype == "SRV" else 0)


def test_tc_is_set_only_when_configured(catalog: Catalog) -> None:
    catalog.many(20)
    for rdtype in ("A", "SRV"):
        assert not ask(catalog.responder(), "web.service.consul", rdtype).flags & dns.flags.TC
        assert not ask(catalog.responder(TRUNCATE), "web.service.consul", rdtype, udp=False).flags & dns.flags.TC


@pytest.mark.parametrize("rdtype", ["A", "SRV"])
def test_whole_answers_by_tcp_and_large_edns(catalog: Catalog, rdtype: str) -> None:
    catalog.many(50)
    responder = catalog.responder(TRUNCATE)
    for udp, edns in ((False, 0), (True, 4096)):
        found = ask(responder, "web.service.consul", rdtype, udp=udp, edns=edns)
        assert len(lines(found.answer)) == 50
        assert len(lines(found.additional)) == (50 if rdtype == "SRV" else 0)
        assert not found.flags & dns.flags.TC


@pytest.mark.parametrize("size", [512, 600, 1232, 2000])
def test_edns_sizes_are_used_as_far_as_they_go(catalog: Catalog, size: int) -> None:
    catalog.many(50)
    answer = ask(catalog.responder(TRUNCATE), "web.service.consul", "SRV", edns=size)
    found = lines(answer.answer)
    assert answer.flags & dns.flags.TC
    assert answer.edns == -1, "a cut answer has no OPT record"
    assert len(lines(answer.additional)) == len(found)
    targets = {line.split()[-1] for line in found}
    assert {line.split()[0] for line in lines(answer.additional)} == targets
    if size > 512:
        assert len(answer.to_wire()) > size - 8 - 11 - 70  # another record and its address would not fit


def test_a_record_limit(catalog: Catalog) -> None:
    catalog.many(20)
    responder = catalog.responder(Settings(a_record_limit=2, enable_truncate=True))
    answer = ask(responder, "web.service.consul", udp=False)
    assert len(lines(answer.answer)) == 2
    assert not answer.flags & dns.flags.TC
    assert len(lines(ask(responder, "web.service.consul", "SRV", udp=False).answer)) == 20


def test_thousands_of_instances_fit_into_tcp(catalog: Catalog) -> None:
    catalog.many(2000)
    responder = catalog.responder(TRUNCATE)
    for rdtype, most in (("A", 2000), ("SRV", 1024)):
        answer = ask(responder, "web.service.consul", rdtype, udp=False)
        assert len(lines(answer.answer)) == most
        assert bool(answer.flags & dns.flags.TC) == (rdtype == "SRV")


def test_names_in_full(catalog: Catalog) -> None:
    catalog.many(3)
    packet = dns.message.make_query("web.service.consul", "SRV", use_edns=False).to_wire()
    whole = catalog.responder(Settings(disable_compression=True)).respond(packet, False, "")
    short = catalog.responder().respond(packet, False, "")
    assert isinstance(whole, bytes)
    assert isinstance(short, bytes)
    assert b"\xc0" not in whole
    assert lines(dns.message.from_wire(packet[:2] + whole).answer) == lines(
        dns.message.from_wire(packet[:2] + short).answer
    )
    assert len(whole) == len(short) + 3 * (len("web.service.consul") + 2 - 2) + 3 * (
        len("n001.node.dc1.consul") + 2 - 2
    )


def test_a_record_that_is_too_large_comes_without_additional_records(catalog: Catalog) -> None:
    catalog.node("a", "10.0.0.1", {f"key{number}": "x" * 200 for number in range(9)})
    catalog.service("a", "web")
    responder = catalog.responder()
    for name, rdtype in (("a.node.consul", "A"), ("web.service.consul", "SRV")):
        answer = ask(responder, name, rdtype)
        assert len(lines(answer.answer)) == 1
        assert answer.additional == []
        assert answer.flags & dns.flags.TC
    assert len(lines(ask(responder, "a.node.consul", "TXT", udp=False).answer)) == 9


def test_the_client_s_subnet_comes_back(catalog: Catalog) -> None:
    catalog.many(1)
    option = dns.edns.ECSOption("192.0.2.0", 24)
    plain = ask(catalog.responder(), "web.service.consul", edns=1232, options=[option])
    assert plain.options == (dns.edns.ECSOption("192.0.2.0", 24, 0),)

    def execute(name: str, source: str) -> QueryResult:
        view = catalog.store
        return QueryResult("web", "dc1", services.with_checks(view, services.instances(view, "web")))

    asked = ask(catalog.responder(execute_query=execute), "q.query.consul", edns=1232, options=[option])
    assert asked.options == (dns.edns.ECSOption("192.0.2.0", 24, 24),)


catalogs = st.lists(
    st.tuples(
        st.integers(1, 6),  # the node
        st.sampled_from(("", "", "", "10.9.9.9", "10.9.9.8", "2001:db8::1", "www.example.com")),
        st.integers(1, 3),  # the port
        st.booleans(),  # the node has texts
    ),
    max_size=14,
)


class NoChance(random.Random):
    """Leaves every order as it is."""

    def random(self) -> float:
        return 0.0


def _fill(rows: list[tuple[int, str, int, bool]]) -> Catalog:
    catalog = Catalog()
    for number, (node, address, port, texts) in enumerate(rows):
        catalog.node(f"n{node}", f"10.0.0.{node}", {"k": "v"} if texts else None)
        catalog.service(f"n{node}", "web", port, id=str(number), address=address)
    return catalog


@settings(deadline=None, max_examples=200)
@given(
    catalogs,
    st.sampled_from(("A", "AAAA", "SRV", "ANY")),
    st.booleans(),
    st.sampled_from((0, 512, 520, 700, 4096)),
    st.sampled_from((0, 2)),
)
def test_packed_answers_equal_answers_made_of_records(
    rows: list[tuple[int, str, int, bool]], rdtype: str, udp: bool, edns: int, limit: int
) -> None:
    options = Settings(enable_truncate=True, a_record_limit=limit)
    catalog, rng = _fill(rows), NoChance()
    responder = catalog.responder(options, rng=rng)
    packet = dns.message.make_query("web.service.consul", rdtype, use_edns=0 if edns else False, payload=edns).to_wire()
    quick = responder.respond(packet, udp, "192.0.2.1")
    assert isinstance(quick, bytes)
    question = parse(packet)
    known = AnswerContext(WholeState(catalog.store), options, rng.random, NOW, rotation=Rotation())
    subject = subject_of(question, options)
    reply = answer(question, subject, known)  # without room: record by record
    assert reply.packed is None
    slow = encode.encode(reply, question, options, udp)
    assert dns.message.from_wire(packet[:2] + quick) == dns.message.from_wire(packet[:2] + slow)
    assert len(quick) == len(slow)


def test_every_instance_gets_its_share(catalog: Catalog) -> None:
    catalog.many(30)
    responder = catalog.responder()
    for rdtype in ("A", "SRV"):
        seen: Counter[str] = Counter()
        for _ in range(3000):
            seen.update(lines(ask(responder, "web.service.consul", rdtype).answer))
        assert len(seen) == 30
        assert max(seen.values()) < 4 * 3 * 3000 / 30


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_packet_gets_an_answer_that_can_be_read_or_none(data: st.DataObject) -> None:
    responder = _hostile_target()
    name = data.draw(st.sampled_from(("web.service.consul", "a.node.consul", "consul", "x.query.consul", "a.b.arpa")))
    rdtype = data.draw(st.integers(1, 65535).filter(lambda rdtype: rdtype != 41))
    size = data.draw(st.sampled_from((None, 0, 100, 512, 1232, 65535)))
    packet = bytearray(
        dns.message.make_query(name, rdtype, use_edns=False if size is None else 0, payload=size or 0).to_wire()
    )
    for _ in range(data.draw(st.integers(0, 4))):
        packet[data.draw(st.integers(2, len(packet) - 1))] = data.draw(st.integers(0, 255))
    _check(responder, bytes(packet))
    _check(responder, bytes(packet[: data.draw(st.integers(0, len(packet)))]))
    _check(responder, data.draw(st.binary(max_size=700)))


_targets: list[Responder] = []


def _hostile_target() -> Responder:
    if not _targets:
        catalog = Catalog()
        catalog.many(40)
        catalog.node("a", "10.0.0.1", {f"k{number}": "v" * 90 for number in range(20)})
        _targets.append(catalog.responder())
    return _targets[0]


def _check(responder: Responder, packet: bytes) -> None:
    found = responder.respond(packet, True, "192.0.2.1")
    if found is None:
        return
    assert isinstance(found, bytes)
    read = dns.message.from_wire(packet[:2] + found, raise_on_truncation=False)
    assert read.flags & dns.flags.QR
    if read.edns < 0:
        assert len(found) + 2 <= 512
    else:
        assert len(found) + 2 <= max(512, min(read.payload, trim.UDP_SIZE))
