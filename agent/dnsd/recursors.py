"""Asks other DNS servers about names that are not ours (`recursors`), one after the other."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Sequence

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire import upstream
from pyconsul.agent.dnsd.wire.layout import HEADER, IN, NOERROR, NXDOMAIN, RD, A, Record
from pyconsul.agent.dnsd.wire.upstream import Match

MOST = 1024  # questions that may wait for recursors at a time; more are failures at once
MAX_WRONG = 100  # datagrams that answer something else, before a recursor counts as failed
_TC = 0x02  # in the third byte

log = logging.getLogger("agent.dns")


class _CaseChanged(ValueError):
    """An answer over UDP repeats the question in other capitals, as a forged one would."""


class Recursors:
    """The configured recursors.  Every one has `recursor_timeout` seconds; the next is asked when one fails."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        self._settings, self._rng = settings, rng
        self._waiting = 0

    async def forward(self, packet: bytes, question: bytes, udp: bool) -> bytes | None:
        """Return a recursor's answer to a packet with this question section, over the same protocol; None when all fail.

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
        """Return the records that a recursor answers for a host's A question; none when all fail."""
        question = host + A.to_bytes(2) + IN.to_bytes(2)
        packet = HEADER.pack(0, RD, 1, 0, 0, 0) + question
        found = await self.forward(packet, question, udp=True)
        if found is not None and found[0] & _TC:
            found = await self.forward(packet, question, udp=False)
        if found is None:
            return ()
        try:
            return upstream.addresses(b"\0\0" + found, host)
        except ValueError as error:
            log.error("a recursor's answer cannot be read: error=%s", error)
            return ()

    def _order(self) -> list[tuple[str, int]]:
        recursors = list(self._settings.recursors)
        if self._settings.recursor_strategy == "random":
            self._rng.shuffle(recursors)
        return recursors

    async def _ask(self, packet: bytes, question: bytes, udp: bool, where: tuple[str, int]) -> bytes | None:
        """Return one recursor's answer without its id, or None when it is a failure.

        The question goes out under an id, from a port and in capitals of its own; an answer has to repeat them. A server
        that changes capitals is asked over TCP, where nobody else can answer.
        """
        mixed = upstream.mix_case(question, secrets.randbits)
        behind = HEADER.size + len(question)
        sent = secrets.token_bytes(2) + packet[2 : HEADER.size] + mixed + packet[behind:]
        try:
            async with asyncio.timeout(self._settings.recursor_timeout):
                try:
                    found = await (_ask_udp if udp else _ask_tcp)(sent, mixed, where)
                except _CaseChanged:
                    found = await _ask_tcp(sent, mixed, where)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            log.error("recursor failed: recursor=%s:%d error=%r", *where, error)
            return None
        rcode = found[3] & 0xF
        if rcode not in (NOERROR, NXDOMAIN):
            log.debug("recursor refused: recursor=%s:%d rcode=%d", *where, rcode)
            return None
        return found[2 : HEADER.size] + question + found[behind:]


class _Asking(asyncio.DatagramProtocol):
    """One question over UDP: the first datagram that answers it counts; others are ignored."""

    def __init__(self, sent: bytes, question: bytes) -> None:
        self._sent, self._question = sent, question
        self._wrong = 0
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.answer.done():
            return
        match upstream.match(data, self._sent, self._question):
            case Match.EXACT:
                self.answer.set_result(data)
            case Match.CASE_CHANGED:
                self.answer.set_exception(_CaseChanged("the answer has other capitals"))
            case Match.OTHER:
                self._wrong += 1
                if self._wrong > MAX_WRONG:
                    self.answer.set_exception(ValueError(f"more than {MAX_WRONG} answers to other questions"))

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
    if upstream.match(found, sent, question) is Match.OTHER:
        raise ValueError("the answer is to another question")
    return found
