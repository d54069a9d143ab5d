"""Messages to and from other DNS servers (RFC 1035, section 4.1).

What they send is not trusted: every loop is bounded, and only records that the question leads to are used.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pyconsul.agent.dnsd.wire.layout import (
    AAAA,
    CNAME,
    HEADER,
    IN,
    MAX_LABEL,
    MAX_NAME,
    QR,
    A,
    Record,
    pointing,
    record,
)

MAX_RECORDS = 512  # records of an answer section that are read
MAX_KEPT = 256  # records that are used
MAX_ALIASES = 16  # aliases that are followed
MAX_POINTERS = 32  # compression pointers in one name

_OPCODE = 0x7800
_POINTER = 0xC0
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Match(Enum):
    """How a message relates to a question that was sent."""

    OTHER = 0  # it answers something else
    CASE_CHANGED = 1  # the name is the same but for capitals: from a server that does not keep them, or a guess
    EXACT = 2


def mix_case(question: bytes, bits: Callable[[int], int]) -> bytes:
    """Return a question section whose letters are capitals or not by chance (`bits(n)` gives n random bits).

    A forged answer has to repeat them (txn-vixie-dnsext-dns0x20). The type and class stay as they are.
    """
    mask = bits(len(question))
    name = bytes(byte ^ 0x20 if byte in _LETTERS and mask >> at & 1 else byte for at, byte in enumerate(question[:-4]))
    return name + question[-4:]


def match(found: bytes, sent: bytes, question: bytes) -> Match:
    """Compare a message with what was sent: its ID, that it is an answer, and the one question (`question` as sent)."""
    if len(found) < HEADER.size + len(question) or found[:2] != sent[:2]:
        return Match.OTHER
    _, flags, questions, *_ = HEADER.unpack_from(found)
    if not flags & QR or flags & _OPCODE or questions != 1:
        return Match.OTHER
    repeated = found[HEADER.size : HEADER.size + len(question)]
    if repeated == question:
        return Match.EXACT
    same = repeated.lower() == question.lower() and repeated[-4:] == question[-4:]
    return Match.CASE_CHANGED if same else Match.OTHER


def addresses(packet: bytes, host: bytes) -> list[Record]:
    """Return the addresses of a host (a name on the wire) and the aliases that lead to them, from an answer to its question.

    Records of other owners are left out: nobody asked for them. Raises ValueError when the message is malformed.
    """
    try:
        found = _answer_section(packet)
    except IndexError:
        raise ValueError("the message is cut short") from None
    owners = [host.lower()]
    for owner in owners:  # grows while aliases are followed
        targets = [target.lower() for name, rdtype, _, _, target in found if rdtype == CNAME and name.lower() == owner]
        owners.extend([target for target in targets[:1] if target not in owners and len(owners) <= MAX_ALIASES])
    spelled = {host.lower(): host}
    kept: list[Record] = []
    for name, rdtype, ttl, data, target in found:
        if name.lower() in owners:
            owner = spelled.get(name.lower(), name)
            kept.append(pointing(owner, CNAME, ttl, target) if rdtype == CNAME else record(owner, rdtype, ttl, data))
    return list(dict.fromkeys(kept))[:MAX_KEPT]


def _answer_section(packet: bytes) -> list[tuple[bytes, int, int, bytes, bytes]]:
    """Return the first addresses and aliases of the answer section: owner, type, TTL, data, and the name that the data is."""
    _, _, questions, answers, _, _ = HEADER.unpack_from(packet)
    if questions != 1:
        raise ValueError("not one question")
    _, position = _name(packet, HEADER.size)
    position += 4
    found = []
    for _ in range(min(answers, MAX_RECORDS)):
        owner, position = _name(packet, position)
        rdtype, group = packet[position] << 8 | packet[position + 1], packet[position + 2] << 8 | packet[position + 3]
        ttl = int.from_bytes(packet[position + 4 : position + 8])
        length = packet[position + 8] << 8 | packet[position + 9]
        start, position = position + 10, position + 10 + length
        if position > len(packet):
            raise ValueError("a record is cut short")
        if group != IN or length != {A: 4, AAAA: 16}.get(rdtype, length if rdtype == CNAME else -1):
            continue
        target = _name(packet, start)[0] if rdtype == CNAME else b""
        found.append((owner, rdtype, ttl if ttl < 1 << 31 else 0, packet[start:position], target))
    return found


def _name(packet: bytes, position: int) -> tuple[bytes, int]:
    """Return a name without compression, and the position behind it."""
    parts: list[bytes] = []
    size, end, pointers = 1, -1, 0
    while length := packet[position]:
        if length >= _POINTER:
            pointers += 1
            target = (length & 0x3F) << 8 | packet[position + 1]
            end = position + 2 if end < 0 else end
            if target >= position or pointers > MAX_POINTERS:
                raise ValueError("a compression pointer that does not lead backwards, or too many of them")
            position = target
            continue
        size += 1 + length
        if length > MAX_LABEL or size > MAX_NAME or position + 1 + length > len(packet):
            raise ValueError("a label or a name is too long")
        parts.append(packet[position : position + 1 + length])
        position += 1 + length
    return b"".join(parts) + b"\0", position + 1 if end < 0 else end
