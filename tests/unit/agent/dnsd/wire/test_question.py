"""Questions: read as dnspython reads them, and nothing that is no question gets through."""

from __future__ import annotations

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.dnsd.wire.question import Malformed, Question, parse

names = st.lists(st.binary(min_size=1, max_size=20), max_size=6).map(lambda labels: dns.name.Name([*labels, b""]))


def reading(packet: bytes) -> Question | Malformed:
    try:
        return parse(packet)
    except Malformed as error:
        return error


@given(names, st.integers(1, 65000).filter(lambda rdtype: rdtype != 41), st.one_of(st.none(), st.integers(0, 65535)))
def test_questions_of_dnspython_are_parsed(name: dns.name.Name, rdtype: int, size: int | None) -> None:
    query = dns.message.make_query(name, rdtype, use_edns=False if size is None else 0, payload=size or 0)
    packet = query.to_wire()
    question = parse(packet)
    assert question.name == name.to_wire()
    assert question.rdtype == rdtype
    assert question.wire == packet[12 : 12 + len(question.name) + 4]
    assert [question.name[at] for at in question.starts] == [len(label) for label in name.labels[:-1]]
    assert len(question.labels) == len(name.labels) - 1
    assert (question.edns.size if question.edns else None) == size


def test_labels_are_in_lower_case_and_odd_bytes_are_escaped() -> None:
    name = dns.name.Name([b"WeB", b"a.b", b"\xff", b"x_Y-9", b"back\\slash", b""])
    question = parse(dns.message.make_query(name, "A").to_wire())
    assert question.labels == ["web", "a\\046b", "\\255", "x_y-9", "back\\092slash"]


def test_client_subnet() -> None:
    option = dns.edns.ECSOption("192.0.2.0", 24)
    question = parse(dns.message.make_query("web.service.consul", "A", use_edns=0, options=[option]).to_wire())
    assert question.edns is not None
    assert question.edns.subnet == b"\x00\x01\x18\x00\xc0\x00\x02"


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(packet: bytes) -> None:
    reading(packet)


@given(st.binary(min_size=12, max_size=300), st.data())
def test_damaged_questions_are_read_or_refused(tail: bytes, data: st.DataObject) -> None:
    packet = bytearray(dns.message.make_query("web.service.consul", "SRV", use_edns=0).to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    reading(bytes(packet))
    reading(bytes(packet[: data.draw(st.integers(0, len(packet)))]))
    reading(bytes(packet[:12]) + tail)


GOOD = dns.message.make_query("web.service.consul", "A", id=1).to_wire()


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (b"", None),
        (GOOD[:11], None),
        (GOOD[:2] + b"\x81\x00" + GOOD[4:], None),  # an answer
        (GOOD[:2] + b"\x28\x00" + GOOD[4:], 4),  # an update
        (GOOD[:4] + b"\x00\x00" + GOOD[6:], 1),  # no question
        (GOOD[:4] + b"\x00\x02" + GOOD[6:], 1),  # two
        (GOOD[:-3], 1),
        (GOOD[:10] + b"\x00\x01" + GOOD[12:], 1),  # an additional record that is not there
        (GOOD[:12] + b"\xc0\x0c" + GOOD[-4:], 1),  # a name that points to itself
        (GOOD[:12] + b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 4 + b"\0" + GOOD[-4:], 1),  # too long
    ],
)
def test_malformed_packets_get_a_short_refusal_or_no_response(packet: bytes, rcode: int | None) -> None:
    found = reading(packet)
    assert isinstance(found, Malformed)
    if rcode is None:
        assert found.reply == b""
    else:
        answer = dns.message.from_wire(packet[:2] + found.reply)
        assert answer.rcode() == rcode
        assert len(found.reply) == 10
