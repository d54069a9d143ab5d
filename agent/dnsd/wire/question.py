"""Reads a question from a packet (RFC 1035, section 4.1; EDNS: RFC 6891; client subnet: RFC 7871)."""

from __future__ import annotations

import logging

from pyconsul.agent.dnsd.wire.layout import (
    AD,
    CD,
    FORMERR,
    HEADER,
    MAX_LABEL,
    MAX_NAME,
    NOTIMP,
    OPT,
    QR,
    RA,
    RD,
    TC,
    TYPES,
)

log = logging.getLogger("agent.dns")

_SUBNET = 8  # the option code of the client subnet
_NOTIFY = 4
_OPCODE = 0x7800


class Malformed(Exception):
    """A malformed packet.  `reply`: the response to it without the id; empty for none."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__("malformed question")
        self.reply = reply


class Edns:
    """What the question's OPT record says: the size of answers that can be received, and the client's subnet option."""

    __slots__ = ("size", "subnet")

    def __init__(self, size: int, subnet: bytes) -> None:
        self.size, self.subnet = size, subnet

    @property
    def answer_size(self) -> int:
        """Return how many bytes the OPT record of an answer takes."""
        return 11 + (4 + len(self.subnet) if self.subnet else 0)


class Question:
    """One question.

    name: as asked, on the wire.  starts: where in it each label begins.  labels: in lower case, as text in which
    what is not a plain character is escaped.  wire: the question section, to be repeated in the answer.
    """

    __slots__ = ("edns", "flags", "labels", "name", "rdtype", "starts", "wire")

    def __init__(
        self, flags: int, name: bytes, starts: list[int], labels: list[str], rdtype: int, wire: bytes, edns: Edns | None
    ) -> None:
        self.flags, self.name, self.starts, self.labels = flags, name, starts, labels
        self.rdtype, self.wire, self.edns = rdtype, wire, edns

    @property
    def echoed(self) -> int:
        """Return the flags that an answer repeats: the opcode, and of a plain query RD and CD."""
        return QR | self.flags & (_OPCODE if self.flags & _OPCODE else RD | CD)


def _refusal(flags: int, rcode: int) -> Malformed:
    """Return the header alone with what the client set in it; only "not implemented" repeats the opcode (as Consul has it)."""
    repeated = TC | RD | RA | AD | CD | (_OPCODE if rcode == NOTIMP else 0)
    return Malformed(HEADER.pack(0, QR | (flags & repeated) | rcode, 0, 0, 0, 0)[2:])


def parse(packet: bytes) -> Question:
    """Read a packet's question.  Raises Malformed; nothing else, whatever the bytes are."""
    if len(packet) < HEADER.size:
        raise Malformed
    _, flags, questions, answers, authority, additional = HEADER.unpack_from(packet)
    if flags & QR:
        raise Malformed  # responding to answers could make two servers respond to each other endlessly
    if (flags >> 11) & 0xF not in (0, _NOTIFY):
        raise _refusal(flags, NOTIMP)
    if questions != 1 or answers > 1 or authority > 1 or additional > 2:
        raise _refusal(flags, FORMERR)
    try:
        starts, labels, end = _name(packet)
        if len(packet) < end + 4:
            raise ValueError("cut short")
        edns = _edns(packet, end + 4, answers + authority, additional) if answers + authority + additional else None
    except (ValueError, IndexError):
        raise _refusal(flags, FORMERR) from None
    rdtype = packet[end] << 8 | packet[end + 1]
    return Question(flags, packet[12:end], starts, labels, rdtype, packet[12 : end + 4], edns)


def log_question(packet: bytes, udp: bool, client: str) -> None:
    """Log what a packet asks for, at level debug."""
    try:
        question = parse(packet)
    except Malformed:
        log.debug("malformed question", extra={"fields": {"client": client, "bytes": len(packet)}})
        return
    fields = {"name": ".".join(question.labels) + ".", "type": TYPES.get(question.rdtype, f"TYPE{question.rdtype}")}
    log.debug("question", extra={"fields": {**fields, "client": client, "network": "udp" if udp else "tcp"}})


def _name(packet: bytes) -> tuple[list[int], list[str], int]:
    """Return the question's labels, where they start in its name, and the position behind it."""
    starts, labels = [], []
    position = HEADER.size
    while length := packet[position]:
        if length > MAX_LABEL:
            raise ValueError("a pointer, or a label that is too long")
        starts.append(position - HEADER.size)
        raw = packet[position + 1 : position + 1 + length]
        position += 1 + length
        labels.append(raw.decode().lower() if raw.isalnum() else _text(raw))
        if position - HEADER.size >= MAX_NAME:
            raise ValueError("the name is too long")
    return starts, labels, position + 1


def _text(raw: bytes) -> str:
    """Return a label as text; dots, backslashes and all that is not printable ASCII are escaped, so that they match nothing."""
    if raw.isascii() and b"." not in raw and b"\\" not in raw:
        text = raw.decode().lower()
        if text.isprintable():
            return text
    return "".join(chr(byte).lower() if 0x20 < byte < 0x7F and byte not in b".\\" else f"\\{byte:03d}" for byte in raw)


def _skip_name(packet: bytes, position: int) -> int:
    while length := packet[position]:
        if length >= 0xC0:
            return position + 2
        if length > MAX_LABEL:
            raise ValueError("unknown kind of label")
        position += 1 + length
    return position + 1


def _edns(packet: bytes, position: int, before: int, additional: int) -> Edns | None:
    """Return the OPT record among the additional ones, if there is one; two are malformed."""
    found = None
    for number in range(before + additional):
        start = position
        position = _skip_name(packet, position)
        rdtype = packet[position] << 8 | packet[position + 1]
        length = packet[position + 8] << 8 | packet[position + 9]
        data = position + 10
        if data + length > len(packet):
            raise ValueError("a record is cut short")
        if rdtype == OPT and number >= before:
            if found is not None or packet[start]:
                raise ValueError("more than one OPT record, or one with a name")
            size = packet[position + 2] << 8 | packet[position + 3]
            found = Edns(size, _subnet(packet[data : data + length]))
        position = data + length
    return found


def _subnet(options: bytes) -> bytes:
    """Return the data of the client subnet option, or nothing."""
    position = 0
    while position < len(options):
        code = options[position] << 8 | options[position + 1]
        length = options[position + 2] << 8 | options[position + 3]
        data = options[position + 4 : position + 4 + length]
        if len(data) < length:
            raise ValueError("an option is cut short")
        if code == _SUBNET:
            _check_subnet(data)
            return data
        position += 4 + length
    return b""


def _check_subnet(data: bytes) -> None:
    family, bits = data[0] << 8 | data[1], data[2]
    most = {0: 0, 1: 32, 2: 128}.get(family)
    if most is None or bits > most or data[3] or len(data) != 4 + (bits + 7) // 8:
        raise ValueError("a bad client subnet")
