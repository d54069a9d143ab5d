"""Messages of other DNS servers: what is taken from them, and that nothing they hold costs much."""

from __future__ import annotations

import contextlib
import time

import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.dnsd.wire import upstream
from pyconsul.agent.dnsd.wire.layout import CNAME, Record, encode_name, kind_of
from pyconsul.agent.dnsd.wire.upstream import Match

pytestmark = pytest.mark.usefixtures("no_collections")

HOST = encode_name("www.example.com")
QUESTION = HOST + b"\0\1\0\1"
SENT = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + QUESTION
LABELS = st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def answer(*rrsets: str) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(SENT))
    for text in rrsets:
        name, ttl, rdtype, data = text.split(" ", 3)
        message.answer.append(dns.rrset.from_text(dns.name.from_text(name), int(ttl), "IN", rdtype, data))
    return message.to_wire()


def shown(records: list[Record]) -> list[str]:
    found = []
    for owner, rest, target in records:
        name = (
            dns.name.from_wire(target, 0)[0].to_text() if kind_of((owner, rest, target)) == CNAME else rest[10:].hex()
        )
        found.append(f"{dns.name.from_wire(owner, 0)[0]} {int.from_bytes(rest[4:8])} {name}")
    return found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda packet: packet, Match.EXACT),
        (lambda packet: packet.replace(b"www", b"wWw"), Match.CASE_CHANGED),
        (lambda packet: packet.replace(b"www", b"wwx"), Match.OTHER),
        (lambda packet: b"\0\0" + packet[2:], Match.OTHER),
        (lambda packet: packet[:2] + b"\1" + packet[3:], Match.OTHER),  # a question
        (lambda packet: packet[:2] + b"\xa9" + packet[3:], Match.OTHER),  # another opcode
        (lambda packet: packet[:4] + b"\0\0" + packet[6:], Match.OTHER),  # no question, though it is there
        (lambda packet: packet[:4] + b"\0\2" + packet[6:], Match.OTHER),
        (lambda packet: packet.replace(QUESTION, HOST + b"\0\x1c\0\1"), Match.OTHER),
        (lambda packet: packet[:20], Match.OTHER),
        (lambda packet: b"", Match.OTHER),
    ],
)
def test_an_answer_must_repeat_the_question(change, expected: Match) -> None:  # type: ignore[no-untyped-def]
    assert upstream.match(change(answer()), SENT, QUESTION) is expected


@given(st.integers(0, 2**30))
def test_capitals_are_drawn_and_nothing_else_changes(bits: int) -> None:
    mixed = upstream.mix_case(QUESTION, lambda count: bits & ((1 << count) - 1))
    assert mixed.lower() == QUESTION.lower()
    assert mixed[len(HOST) :] == QUESTION[len(HOST) :]
    assert upstream.mix_case(mixed, lambda count: bits & ((1 << count) - 1)) == QUESTION


def test_most_letters_of_a_name_are_drawn_independently() -> None:
    assert len({upstream.mix_case(QUESTION, lambda count, bits=number: bits) for number in range(0, 4096, 7)}) > 100


def test_records_of_others_are_left_out() -> None:
    packet = answer(
        "bank.example. 5 A 6.6.6.6",
        "www.example.com. 9 CNAME a.example.net.",
        "b.example.net. 3 A 10.0.0.2",
        "a.example.net. 8 CNAME b.example.net.",
        "b.example.net. 3 AAAA 2001:db8::2",
        "www.example.com. 9 TXT text",
    )
    assert shown(upstream.addresses(packet, HOST)) == [
        "www.example.com. 9 a.example.net.",
        "b.example.net. 3 0a000002",
        "a.example.net. 8 b.example.net.",
        "b.example.net. 3 20010db8000000000000000000000002",
    ]


def test_aliases_in_a_circle_end() -> None:
    packet = answer("www.example.com. 9 CNAME a.example.net.", "a.example.net. 9 CNAME www.example.com.")
    assert len(upstream.addresses(packet, HOST)) == 2


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8), st.lists(st.tuples(NAMES, st.ip_addresses(v=4)), max_size=8))
def test_answers_of_dnspython_are_parsed(aliases: list[tuple[str, str]], found: list[tuple[str, object]]) -> None:
    name, chain = "www.example.com", []
    for number, (_, stem) in enumerate(aliases):
        chain.append(f"{name}. 1 CNAME {stem}.n{number}.example.")
        name = f"{stem}.n{number}.example"
    packet = answer(
        *chain, *(f"{name}. 2 A {address}" for _, address in found), *(f"x{n}. 2 A 6.6.6.6" for n, _ in found)
    )
    count = len(chain) + len({str(address) for _, address in found})
    assert len(upstream.addresses(packet, HOST)) == count


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_harmless(data: bytes) -> None:
    for packet in (data, SENT + data, answer("www.example.com. 9 A 1.2.3.4")[:-4] + data):
        with contextlib.suppress(ValueError):
            assert all(owner.lower() for owner, _, _ in upstream.addresses(packet.ljust(12, b"\0"), HOST))


def test_loops_of_compression_are_cut() -> None:
    """64 KB of pointers to pointers, and records whose names are such a chain: a few milliseconds."""
    head = SENT[:2] + b"\x81\x80\0\1\xff\xff\0\0\0\0" + QUESTION
    chain = bytearray()
    position = len(head)
    for number in range(8000):
        target = position + 2 * (number - 1) if number else 12
        chain += (0xC000 | target).to_bytes(2)
    last = (0xC000 | position + 2 * 7999).to_bytes(2)
    bombs = [
        head + bytes(chain) + (last + b"\0\1\0\1\0\0\0\0\0\4\1\2\3\4") * 3000,
        head + (b"\xc0\x0c\0\5\0\1\0\0\0\0\0\2\xc0\x0c") * 4000,
        head + (0xC000 | len(head)).to_bytes(2) + bytes(100),
        head + (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4") * 4000,
    ]
    began = time.process_time()
    reference = sum(hash((number, number)) for number in range(200_000))
    reference_s = time.process_time() - began
    assert reference
    began = time.process_time()
    for bomb in bombs:
        with contextlib.suppress(ValueError):
            assert len(upstream.addresses(bomb, HOST)) <= upstream.MAX_KEPT
    assert time.process_time() - began < 20 * reference_s
