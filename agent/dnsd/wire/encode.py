"""Turns a reply into the bytes that are sent, without the id that they start with."""

from __future__ import annotations

from struct import Struct

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire import trim
from pyconsul.agent.dnsd.wire.layout import AA, HEADER, NOERROR, OPT, QR, RA, REFUSED, SERVFAIL, TC, join
from pyconsul.agent.dnsd.wire.question import Question
from pyconsul.agent.dnsd.wire.reply import Reply

_OPT = Struct(">BHHIH")  # root, type, size, flags, length
_OPTION = Struct(">HH")  # code, length
_SUBNET = 8


def encode(reply: Reply, question: Question, settings: Settings, udp: bool) -> bytes:
    """Return the answer, cut to what the client can receive."""
    opt = _opt(question, reply.scoped and reply.rcode == NOERROR) if reply.rcode != REFUSED else b""
    flags = question.echoed | reply.rcode
    if reply.rcode != REFUSED:
        flags |= (AA if reply.rcode != SERVFAIL else 0) | (RA if settings.recursors else 0)
    packed = reply.packed
    if packed is not None:
        if packed.cut:
            flags |= TC if settings.enable_truncate else 0
            opt = b""
        counts = HEADER.pack(0, flags, 1, packed.answers, 0, packed.additionals + bool(opt))[2:]
        return b"".join((counts, question.wire, packed.answer, packed.additional, opt))
    compress = not settings.disable_compression
    if len(reply.answer) < 2 or len(reply.answer) <= trim.cap(question.rdtype, udp, trim.room(question, udp), settings):
        wire = join(flags, question.wire, reply.answer, reply.authority, reply.additional, compress, opt)
        if len(wire) + 2 <= trim.limit(question, udp):
            return wire
    trim.trim(reply, question, udp, settings)
    if reply.cut:
        flags |= TC if settings.enable_truncate else 0
        opt = b""
    wire = join(flags, question.wire, reply.answer, reply.authority, reply.additional, compress, opt)
    return (
        wire
        if len(wire) + 2 <= trim.room(question, udp)
        else _stripped(flags | TC, question, reply, compress, opt, udp)
    )


def _stripped(flags: int, question: Question, reply: Reply, compress: bool, opt: bytes, udp: bool) -> bytes:
    """Return the part that fits when a single record with its additional records is too large; clients retry over TCP."""
    wire = join(flags, question.wire, reply.answer, (), (), compress, opt)
    if len(wire) + 2 <= trim.room(question, udp):
        return wire
    return join(flags, question.wire, (), (), (), compress, opt)


def failure(question: Question, settings: Settings, *, authoritative: bool = False) -> bytes:
    """Return SERVFAIL.  authoritative: the name is in a zone of this server, which cannot look it up at present."""
    flags = question.echoed | SERVFAIL | (AA if authoritative else 0) | (RA if settings.recursors else 0)
    return join(flags, question.wire, (), (), (), True, _opt(question, False))


def cut(wire: bytes, question: Question) -> bytes:
    """Another server's answer (without its id), or its head with TC when it is larger than the client can receive."""
    if len(wire) + 2 <= trim.room(question, udp=True):
        return wire
    flags = int.from_bytes(wire[:2])
    return join(flags | QR | TC, question.wire, (), (), (), True, _opt(question, False))


def _opt(question: Question, scoped: bool) -> bytes:
    """Return the OPT record for a question that had one: its size, and its client subnet with the scope that the answer has."""
    if question.edns is None:
        return b""
    subnet = question.edns.subnet
    options = b""
    if subnet:
        scope = subnet[2] if scoped else 0
        options = _OPTION.pack(_SUBNET, len(subnet)) + subnet[:3] + bytes((scope,)) + subnet[4:]
    return _OPT.pack(0, OPT, question.edns.size, 0, len(options)) + options
