"""Messages: dnspython reads back what was put in."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.dnsd.wire import layout
from pyconsul.agent.dnsd.wire.layout import Record

label = st.text("abcXYZ019-_", min_size=1, max_size=12)
name = st.lists(label, min_size=1, max_size=4).map(lambda labels: layout.encode_name(".".join(labels)))
ttl = st.integers(0, 2**31 - 1)


def _srv(owner: bytes, ttl: int, target: bytes) -> Record:
    rest = layout.srv_head(len(target), ttl) + layout.srv_place(3, 70000) + target
    return owner, rest, target


record = st.one_of(
    st.builds(layout.address, name, ttl, st.binary(min_size=4, max_size=4)),
    st.builds(layout.address, name, ttl, st.binary(min_size=16, max_size=16)),
    st.builds(layout.pointing, name, st.sampled_from((layout.CNAME, layout.NS, layout.PTR)), ttl, name),
    st.builds(
        lambda owner, ttl, text: layout.record(owner, layout.TXT, ttl, layout.text_data(text)), name, ttl, st.text()
    ),
    st.builds(_srv, name, ttl, name),
    st.builds(layout.soa, name, st.integers(0, 2**33), ttl, ttl, ttl, ttl),
)


def plain(item: Record) -> tuple[dns.name.Name, int, dns.rdata.Rdata]:
    """Return a record as dnspython has it."""
    owner, rest, _ = item
    rdtype, _, seconds, length = layout._FIXED.unpack_from(rest)
    data = dns.rdata.from_wire(dns.rdataclass.IN, rdtype, rest, 10, length)
    return dns.name.from_wire(owner, 0)[0], seconds, data


@given(name, st.lists(record, max_size=12), st.lists(record, max_size=6), st.lists(record, max_size=12), st.booleans())
def test_every_record_is_read_back(
    asked: bytes, answer: list[Record], authority: list[Record], additional: list[Record], compress: bool
) -> None:
    question = asked + b"\0\x01\0\x01"
    packet = b"\x12\x34" + layout.join(layout.QR, question, answer, authority, additional, compress)
    message = dns.message.from_wire(packet, one_rr_per_rrset=True)
    sections = zip(
        (answer, authority, additional), (message.answer, message.authority, message.additional), strict=True
    )
    for given_records, read in sections:
        assert [plain(item) for item in given_records] == [(r.name, r.ttl, r[0]) for r in read]


@given(name, st.lists(record, max_size=12))
def test_compression_only_saves(asked: bytes, answer: list[Record]) -> None:
    question = asked + b"\0\x01\0\x01"
    whole = layout.join(0, question, answer, (), (), compress=False)
    assert len(layout.join(0, question, answer, (), (), compress=True)) <= len(whole)
    assert len(whole) == 10 + len(question) + sum(len(owner) + len(rest) for owner, rest, _ in answer)


@given(st.text())
def test_names_are_written_or_refused(text: str) -> None:
    try:
        found = layout.encode_name(text)
    except ValueError:
        return
    assert dns.name.from_wire(found, 0)[1] == len(found) <= 255


@pytest.mark.parametrize("text", ["", ".", "a..b", "a" * 64, ".".join(["a" * 63] * 4), ".a"])
def test_names_that_dns_cannot_hold(text: str) -> None:
    with pytest.raises(ValueError, match="not a domain name"):
        layout.encode_name(text)


def test_long_texts_are_cut_into_strings() -> None:
    item = layout.record(b"\0", layout.TXT, 0, layout.text_data("x" * 600))
    assert [len(part) for part in plain(item)[2].strings] == [255, 255, 90]


def test_a_ttl_can_be_changed() -> None:
    item = layout.address(b"\x01a\0", 5, bytes(4))
    assert plain(layout.with_ttl(item, 77)) == plain(layout.address(b"\x01a\0", 77, bytes(4)))
