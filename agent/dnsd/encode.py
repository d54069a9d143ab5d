"""Turns a reply into the bytes that are sent, without the id that they start with."""

from __future__ import annotations

from struct import Struct

from pyconsul.agent.dnsd import trim
from pyconsul.agent.dnsd.question import Question
from pyconsul.agent.dnsd.reply import Reply
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire import AA, NOERROR, OPT, QR, RA, REFUSED, SERVFAIL, TC, join

_OPT = Struct(">BHHIH")  # root, type, size, flags, length
_OPTION = Struct(">HH")  # code, length
_SUBNET = 8


def encode(reply: Reply, question: Question, settings: Settings, udp: bool) -> bytes:
    """The answer, cut to what the client can receive."""
    opt = _opt(question, reply.scoped and reply.rcode == NOERROR)
    trim.trim(reply, question, udp, settings, len(opt))
    flags = question.echoed | reply.rcode | (TC if reply.truncated else 0)
    if reply.rcode != REFUSED:
        flags |= AA | (RA if settings.recursors else 0)
    compress = not settings.disable_compression
    wire = join(flags, question.wire, reply.answer, reply.authority, reply.additional, compress, opt)
    if udp and len(wire) + 2 > trim.room(question, udp):
        # One record with all that comes with it is too large: as much as fits, and TC, to be asked again over TCP.
        wire = join(flags | TC, question.wire, reply.answer, (), (), compress, opt)
        if len(wire) + 2 > trim.room(question, udp):
            wire = join(flags | TC, question.wire, (), (), (), compress, opt)
    return wire


def failure(question: Question, settings: Settings) -> bytes:
    """SERVFAIL."""
    flags = question.echoed | SERVFAIL | (RA if settings.recursors else 0)
    return join(flags, question.wire, (), (), (), True, _opt(question, False))


def cut(wire: bytes, question: Question) -> bytes:
    """Another server's answer (without its id), or its head with TC when it is larger than the client can receive."""
    if len(wire) + 2 <= trim.room(question, udp=True):
        return wire
    flags = int.from_bytes(wire[:2])
    return join(flags | QR | TC, question.wire, (), (), (), True, _opt(question, False))


def _opt(question: Question, scoped: bool) -> bytes:
    """The OPT record for a question that had one: its size, and its client subnet with the scope that the answer has."""
    if question.edns is None:
        return b""
    subnet = question.edns.subnet
    options = b""
    if subnet:
        scope = subnet[2] if scoped else 0
        options = _OPTION.pack(_SUBNET, len(subnet)) + subnet[:3] + bytes((scope,)) + subnet[4:]
    return _OPT.pack(0, OPT, question.edns.size, 0, len(options)) + options
