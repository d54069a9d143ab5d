"""Header bits and OPT records of answers, as Consul sends them."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import pytest
from support.dns_catalog import Catalog, ask, lines

from pyconsul.agent.dnsd.settings import Settings

BITS = dns.flags.RD | dns.flags.AD | dns.flags.CD


def answered(catalog: Catalog, query: dns.message.Message, source: str = "127.0.0.1") -> dns.message.Message:
    packet = query.to_wire()
    found = catalog.responder().respond(packet, True, source)
    assert isinstance(found, bytes)
    return dns.message.from_wire(packet[:2] + found)


@pytest.mark.parametrize(
    ("opcode", "rcode", "bits"),
    [
        (dns.opcode.QUERY, dns.rcode.NOERROR, dns.flags.RD | dns.flags.CD),
        (dns.opcode.NOTIFY, dns.rcode.NOERROR, 0),
        (dns.opcode.STATUS, dns.rcode.NOTIMP, BITS),
        (dns.opcode.UPDATE, dns.rcode.NOTIMP, BITS),
    ],
)
def test_bits_that_are_repeated(catalog: Catalog, opcode: dns.opcode.Opcode, rcode: dns.rcode.Rcode, bits: int) -> None:
    catalog.node("a", "10.0.0.1")
    query = dns.message.make_query("a.node.consul", "A", use_edns=False)
    query.flags |= BITS
    packet = bytearray(query.to_wire())
    packet[2] = packet[2] & 0x87 | opcode << 3
    found = catalog.responder().respond(bytes(packet), True, "127.0.0.1")
    assert isinstance(found, bytes)
    flags = int.from_bytes(found[:2])
    assert flags & BITS == bits
    assert (flags >> 11 & 0xF, flags & 0xF) == (opcode, rcode)


def test_two_questions_are_malformed_and_have_a_plain_opcode(catalog: Catalog) -> None:
    packet = bytearray(dns.message.make_query("a.node.consul", "A", use_edns=False).to_wire())
    packet[2:6] = b"\x21\x20\0\2"  # NOTIFY, RD, AD, two questions
    found = catalog.responder().respond(bytes(packet), True, "127.0.0.1")
    assert found == b"\x81\x21" + bytes(8)


@pytest.mark.parametrize(
    ("name", "rdtype", "group"), [(".", "NS", "IN"), ("example.com", "A", "IN"), ("version.bind", "TXT", "CH")]
)
def test_refused_questions_have_no_opt_record(catalog: Catalog, name: str, rdtype: str, group: str) -> None:
    answer = answered(catalog, dns.message.make_query(name, rdtype, group, use_edns=0))
    assert (answer.rcode(), answer.edns) == (dns.rcode.REFUSED, -1)


@pytest.mark.parametrize(
    ("rdtype", "size", "settings", "opt"),
    [
        ("A", 512, Settings(), False),  # three of sixty
        ("SRV", 4096, Settings(), False),  # as many as fit
        ("A", 4096, Settings(), True),
        ("A", 4096, Settings(a_record_limit=2), True),  # left out on purpose
        ("SRV", 4096, Settings(disable_compression=True), False),
    ],
)
def test_cut_answers_have_no_opt_record(
    catalog: Catalog, rdtype: str, size: int, settings: Settings, opt: bool
) -> None:
    catalog.many(100)
    answer = ask(catalog.responder(settings), "web.service.consul", rdtype, edns=size)
    assert lines(answer.answer)
    assert (answer.edns == 0) == opt


@pytest.mark.parametrize("rdtype", ["SRV", "A"])
def test_a_service_without_a_name_is_a_server_failure(catalog: Catalog, rdtype: str) -> None:
    answer = ask(catalog.responder(), "_._tcp.service.consul", rdtype, edns=1232)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert not answer.flags & dns.flags.AA
    assert answer.authority == []
    assert answer.edns == 0


@pytest.mark.parametrize(
    ("source", "whole"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("fd00::1", True), ("100.64.0.1", True), ("8.8.8.8", False),
     ("2001:4860:4860::8888", False), ("::ffff:8.8.8.8", False)],
)  # fmt: skip
def test_answers_to_the_internet_are_small(catalog: Catalog, source: str, whole: bool) -> None:
    """Its addresses can be forged, to have large answers sent to somebody else."""
    catalog.many(50)
    responder = catalog.responder()
    packet = dns.message.make_query("web.service.consul", "SRV", use_edns=0, payload=4096).to_wire()
    for _ in range(40):  # cached ones, too
        for client in ("127.0.0.1", source):
            found = responder.respond(packet, True, client)
            assert isinstance(found, bytes)
    assert (len(found) > 2000) == whole
    assert whole or len(found) + 2 <= 1232
    over_tcp = responder.respond(packet, False, source)
    assert isinstance(over_tcp, bytes)
    assert len(over_tcp) > 2000
