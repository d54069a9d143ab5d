"""Names and records as bytes (RFC 1035, section 4.1), and messages made of them.

A message library needs 2.3 ms for an answer of 50 records; an answer whose name was never
asked before has to be made in a small part of that, so records are kept as bytes and only
joined here.  Messages are read, where they are not our own, by dnspython.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import TypeAlias

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, AXFR, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 252, 255
IN = 1
TYPES = {
    A: "A",
    NS: "NS",
    CNAME: "CNAME",
    SOA: "SOA",
    PTR: "PTR",
    TXT: "TXT",
    AAAA: "AAAA",
    SRV: "SRV",
    AXFR: "AXFR",
    ANY: "ANY",
}

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010

# (owner, type + class + TTL + length + data, the name that the data ends with or b"").  Names are uncompressed.
Record: TypeAlias = tuple[bytes, bytes, bytes]

HEADER = Struct(">HHHHHH")  # id, flags, questions, answers, authority, additional
_FIXED = Struct(">HHIH")  # type, class, TTL, length of the data
_PLACE = Struct(">HHH")
_SOA = Struct(">IIIII")
_TTL_AT = 4
_POINTABLE = 0x4000  # a pointer has 14 bits

MAX_NAME = 255
MAX_LABEL = 63
TO_QUESTION = b"\xc0\x0c"  # a pointer to the question's name


def encode_labels(text: str) -> bytes:
    """Return the labels of a dotted name, without the root at its end.  Raises ValueError when DNS has no such name."""
    parts = []
    for label in text.split("."):
        raw = label.encode()
        if not 0 < len(raw) <= MAX_LABEL:
            raise ValueError(
                f"not a domain name: {text!r} has a label of {len(raw)} bytes; 1 to {MAX_LABEL} are allowed"
            )
        parts.append(bytes((len(raw),)))
        parts.append(raw)
    wire = b"".join(parts)
    if len(wire) >= MAX_NAME:
        raise ValueError(f"not a domain name: {text!r} is longer than {MAX_NAME} bytes")
    return wire


def encode_name(text: str) -> bytes:
    """Return a dotted name, with or without its last dot, on the wire.  Raises ValueError when DNS has no such name."""
    return encode_labels(text.removesuffix(".")) + b"\0"


def record(owner: bytes, rdtype: int, ttl: int, data: bytes) -> Record:
    """Return a record of any type that carries no name."""
    return owner, _FIXED.pack(rdtype, IN, ttl, len(data)) + data, b""


def address_head(packed: bytes, ttl: int) -> bytes:
    """Return the part of an A (4 bytes) or AAAA (16 bytes) record between owner and address."""
    return _FIXED.pack(A if len(packed) == 4 else AAAA, IN, ttl, len(packed))


def address(owner: bytes, ttl: int, packed: bytes) -> Record:
    """Return an A or AAAA record, by the length of the address."""
    return owner, address_head(packed, ttl) + packed, b""


def pointing(owner: bytes, rdtype: int, ttl: int, target: bytes) -> Record:
    """Return a record whose data is a name: CNAME, NS, PTR."""
    return owner, _FIXED.pack(rdtype, IN, ttl, len(target)) + target, target


def srv_place(weight: int, port: int) -> bytes:
    """Return the part of an SRV record's data before the target (RFC 2782): priority 1, the weight and the port."""
    return _PLACE.pack(1, weight & 0xFFFF, port & 0xFFFF)


def srv_head(target_length: int, ttl: int) -> bytes:
    """Return the part of an SRV record between owner and data."""
    return _FIXED.pack(SRV, IN, ttl, _PLACE.size + target_length)


def text_data(text: str) -> bytes:
    """Return the data of a TXT record: strings of up to 255 bytes."""
    raw = text.encode()
    chunks = [raw[start : start + 255] for start in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes((len(chunk),)) + chunk for chunk in chunks)


def soa(zone: bytes, serial: int, refresh: int, retry: int, expire: int, minimum: int) -> Record:
    """Return the SOA record of a zone; its TTL is the minimum."""
    names = b"\x02ns" + zone + b"\x0ahostmaster" + zone
    return record(zone, SOA, minimum, names + _SOA.pack(serial & 0xFFFFFFFF, refresh, retry, expire, minimum))


def kind_of(item: Record) -> int:
    """Return the type of a record."""
    return int.from_bytes(item[1][:2])


def with_ttl(item: Record, ttl: int) -> Record:
    """Return the same record with another TTL."""
    owner, rest, target = item
    return owner, rest[:_TTL_AT] + ttl.to_bytes(4) + rest[_TTL_AT + 4 :], target


def join(
    flags: int, question: bytes, answer: Sequence[Record], authority: Sequence[Record], additional: Sequence[Record],
    compress: bool, opt: bytes = b"",
) -> bytes:  # fmt: skip
    """Return a message without its id (the first two bytes): header, one question or none, sections, and an OPT record.

    With `compress`, an owner that stands somewhere before is a pointer to there; names within data are written out,
    as RFC 2782 wants it for SRV.
    """
    counts = HEADER.pack(0, flags, bool(question), len(answer), len(authority), len(additional) + bool(opt))[2:]
    parts = [counts, question]
    add = parts.append
    position = HEADER.size + len(question)
    known = {question[:-4]: TO_QUESTION} if question and compress else {}
    pointer_to = known.get
    for section in (answer, authority, additional):
        for owner, rest, target in section:
            pointer = pointer_to(owner)
            if pointer is None:
                add(owner)
                if compress and position < _POINTABLE:
                    known[owner] = (0xC000 | position).to_bytes(2)
                position += len(owner) + len(rest)
            else:
                add(pointer)
                position += 2 + len(rest)
            add(rest)
            if target and compress and position < _POINTABLE and target not in known:
                known[target] = (0xC000 | position - len(target)).to_bytes(2)
    add(opt)
    return b"".join(parts)
