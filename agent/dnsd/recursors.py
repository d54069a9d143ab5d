"""Asks other DNS servers about names that are not ours (`recursors`), one after the other."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Sequence

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire import CNAME, HEADER, IN, NOERROR, NXDOMAIN, RD, A, Record, pointing, record

MOST = 1024  # questions that may wait for recursors at a time; more are failures at once
_TC = 0x02  # in the third byte

log = logging.getLogger("agent.dns")


class Recursors:
    """The configured recursors.  Every one has `recursor_timeout` seconds; the next is asked when one fails."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        self._settings, self._rng = settings, rng
        self._waiting = 0

    async def forward(self, packet: bytes, question: bytes, udp: bool) -> bytes | None:
        """A recursor's answer to a packet with this question section, over the same protocol; None when all fail.

        The answer comes without its id.  NOERROR and NXDOMAIN are answers; anything else makes the next recursor
        be asked.
        """
        if self._waiting >= MOST:
            log.warning("too many questions wait for recursors: count=%d", self._waiting)
            return None
        self._waiting += 1
        try:
            for where in self._order():
                found = await self._ask(packet, question, udp, where)
                if found is not None:
                    return found
            return None
        finally:
            self._waiting -= 1

    async def addresses_of(self, host: bytes) -> Sequence[Record]:
        """The records that a recursor answers for a host's A question; none when all fail."""
        question = host + A.to_bytes(2) + IN.to_bytes(2)
        packet = HEADER.pack(0, RD, 1, 0, 0, 0) + question
        found = await self.forward(packet, question, udp=True)
        if found is not None and found[0] & _TC:
            found = await self.forward(packet, question, udp=False)
        return _records(b"\0\0" + found) if found is not None else ()

    def _order(self) -> list[tuple[str, int]]:
        recursors = list(self._settings.recursors)
        if self._settings.recursor_strategy == "random":
            self._rng.shuffle(recursors)
        return recursors

    async def _ask(self, packet: bytes, question: bytes, udp: bool, where: tuple[str, int]) -> bytes | None:
        """One recursor's answer without its id, or None when it is a failure.

        The question goes out under an id and from a port of its own; an answer has to repeat it.
        """
        sent = secrets.token_bytes(2) + packet[2:]
        ask = _ask_udp(sent, question, where) if udp else _ask_tcp(sent, question, where)
        try:
            found = await asyncio.wait_for(ask, self._settings.recursor_timeout)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            log.error("recursor failed: recursor=%s:%d error=%r", *where, error)
            return None
        rcode = found[3] & 0xF
        if rcode not in (NOERROR, NXDOMAIN):
            log.debug("recursor refused: recursor=%s:%d rcode=%d", *where, rcode)
            return None
        return found[2:]


def _answers(found: bytes, sent: bytes, question: bytes) -> bool:
    """Whether a packet answers a question that was sent: by its id and its question, whose case does not count."""
    if len(found) < HEADER.size or found[:2] != sent[:2] or not found[2] & 0x80:
        return False
    return found[4:6] == b"\0\0" or found[HEADER.size : HEADER.size + len(question)].lower() == question.lower()


class _Asking(asyncio.DatagramProtocol):
    """One question over UDP: the first datagram that answers it counts, others are somebody else's."""

    def __init__(self, sent: bytes, question: bytes) -> None:
        self._sent, self._question = sent, question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done() and _answers(data, self._sent, self._question):
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _ask_udp(sent: bytes, question: bytes, where: tuple[str, int]) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Asking(sent, question), remote_addr=where)
    try:
        transport.sendto(sent)
        return await protocol.answer
    finally:
        transport.close()


async def _ask_tcp(sent: bytes, question: bytes, where: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*where)
    try:
        writer.write(len(sent).to_bytes(2) + sent)
        length = int.from_bytes(await reader.readexactly(2))
        found = await reader.readexactly(length)
    finally:
        writer.close()
    if not _answers(found, sent, question):
        raise ValueError("the answer is to another question")
    return found


def _records(packet: bytes) -> list[Record]:
    """The answer section of a packet; none when it cannot be read."""
    import dns.exception
    import dns.message

    try:
        message = dns.message.from_wire(packet, ignore_trailing=True)
    except dns.exception.DNSException as error:
        log.error("a recursor's answer cannot be read: error=%r", error)
        return []
    found: list[Record] = []
    for rrset in message.answer:
        owner, ttl, kind = rrset.name.to_wire() or b"\0", int(rrset.ttl), int(rrset.rdtype)
        make = pointing if kind == CNAME else record
        found.extend(make(owner, kind, ttl, item.to_wire() or b"") for item in rrset)
    return found
