"""Recursors that answer what nobody asked, too much, or never: each question ends by the timeout, and nothing foreign is kept."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import uvloop
from support.ports import free_ports

from pyconsul.agent.dnsd.recursors import Recursors
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire.layout import Record, encode_name

pytestmark = pytest.mark.usefixtures("no_collections")

ALLOWED_S = 0.4
LATE_S = 1.6
MAX_SHARE = 20  # times the processor time of the reference; what is not bounded takes hundreds
HOST = encode_name("www.Example.com")
GOOD = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x0a\0\0\1"  # an A record of the question's name
FOREIGN = b"\4bank\7example\0\0\1\0\1\0\0\0\5\0\4\6\6\6\6"

Reply = Callable[[bytes], Sequence[bytes]]  # the messages to send for a question


def reply(question: bytes, *records: bytes, flags: bytes = b"\x81\x80", counted: int | None = None) -> bytes:
    count = len(records) if counted is None else counted
    return question[:2] + flags + b"\0\1" + count.to_bytes(2) + b"\0\0\0\0" + question[12:] + b"".join(records)


class Recursor:
    """Answers by UDP and TCP as `udp` and `tcp` say; without an answer over TCP it stays silent."""

    def __init__(self, udp: Reply, tcp: Reply) -> None:
        self.port = free_ports(1)[0]
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        self._say_udp, self._say_tcp = udp, tcp
        self.asked: list[bytes] = []
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, client = self._udp.recvfrom(4096)
                self.asked.append(packet)
                for message in self._say_udp(packet):
                    self._udp.sendto(message, client)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._tcp.accept()
                threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            packet = link.recv(4096)[2:]
            for message in self._say_tcp(packet):
                link.sendall(message)
            link.recv(1)

    def close(self) -> None:
        self._udp.close()
        self._tcp.close()


@contextmanager
def recursor(udp: Reply, tcp: Reply = lambda question: ()) -> Iterator[Recursor]:
    server = Recursor(udp, tcp)
    try:
        yield server
    finally:
        server.close()


def resolved(port: int) -> tuple[Sequence[Record], float, float]:
    """Return the records of a host, the processor time of this thread, and the time on the clock."""

    async def ask() -> tuple[Sequence[Record], float, float]:
        settings = Settings(recursors=(("127.0.0.1", port),), recursor_timeout=ALLOWED_S)
        cpu, clock = time.thread_time(), time.monotonic()
        found = await Recursors(settings, random.Random(1)).addresses_of(HOST)
        return found, time.thread_time() - cpu, time.monotonic() - clock

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask())


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


def flood(message: Callable[[bytes], bytes]) -> Reply:
    return lambda question: (message(question) for _ in range(20_000))  # type: ignore[return-value]


def truncated(question: bytes) -> Sequence[bytes]:
    return [reply(question, flags=b"\x83\x80")]


HOSTILE: dict[str, tuple[Reply, Reply]] = {
    "silence": (lambda q: (), lambda q: ()),
    "another name": (lambda q: [reply(q[:12] + b"\1a\0\0\1\0\1", GOOD)], lambda q: ()),
    "another type": (lambda q: [reply(q[:-4] + b"\0\x1c\0\1", GOOD)], lambda q: ()),
    "another ID, without end": (flood(lambda q: b"\0\0" + reply(q, GOOD)[2:]), lambda q: ()),
    "no question": (lambda q: [q[:2] + b"\x81\x80\0\0\0\1\0\0\0\0" + FOREIGN], lambda q: ()),
    "question as an answer": (lambda q: [q], lambda q: ()),
    "garbage without end": (flood(lambda q: bytes(1400)), lambda q: ()),
    "empty datagrams without end": (flood(lambda q: b""), lambda q: ()),
    "foreign owner": (lambda q: [reply(q, FOREIGN)], lambda q: ()),
    "truncation without end": (truncated, lambda q: [framed(*truncated(q))]),
    "truncation, then silence": (truncated, lambda q: ()),
    "half a length": (truncated, lambda q: [b"\0"]),
    "half a message": (truncated, lambda q: [b"\xff\xff" + reply(q, GOOD)]),
    "another name by TCP": (truncated, lambda q: [framed(reply(q[:12] + b"\1a\0\0\1\0\1", GOOD))]),
    "64 KB of foreign records by TCP": (truncated, lambda q: [framed(reply(q, *[FOREIGN] * 2000))]),
    "TCP without end": (truncated, lambda q: [framed(reply(q, FOREIGN)), *[bytes(65536)] * 2000]),
    "pointer to itself": (lambda q: [reply(q, (0xC000 | 12 + len(q[12:])).to_bytes(2) + GOOD[2:])], lambda q: ()),
    "more records than there are": (lambda q: [reply(q, FOREIGN, counted=65535)], lambda q: ()),
    "aliases in a circle": (lambda q: [reply(q, b"\xc0\x0c\0\5\0\1\0\0\0\5\0\2\xc0\x0c" * 50, counted=50)], lambda q: ()),
    "refusal": (lambda q: [reply(q, flags=b"\x81\x85")], lambda q: ()),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_recursor_is_bounded_and_gives_no_address(name: str) -> None:
    began = time.thread_time()
    assert sum(hash((number, number)) for number in range(200_000))
    reference_s = time.thread_time() - began
    udp, tcp = HOSTILE[name]
    with recursor(udp, tcp) as server:
        found, cpu_s, clock_s = resolved(server.port)
    assert [rest[10:] for _, rest, _ in found if rest[:2] == b"\0\1"] == []
    assert cpu_s < MAX_SHARE * reference_s
    assert clock_s < 2 * ALLOWED_S + LATE_S  # UDP, then TCP


def test_a_good_answer_among_wrong_ones_counts() -> None:
    def answers(question: bytes) -> Sequence[bytes]:
        return [*[b"\0\0" + reply(question, FOREIGN)[2:]] * 20, reply(question, GOOD)]

    with recursor(answers) as server:
        found, _, _ = resolved(server.port)
    assert [(owner, rest[10:]) for owner, rest, _ in found] == [(HOST, b"\x0a\0\0\1")]


def test_questions_have_capitals_of_their_own() -> None:
    with recursor(lambda question: [reply(question, GOOD)]) as server:
        for _ in range(20):
            assert resolved(server.port)[0]
    names = {packet[12:] for packet in server.asked}
    assert len(names) > 10
    assert {name.lower() for name in names} == {HOST.lower() + b"\0\1\0\1"}


def test_a_recursor_that_changes_capitals_is_asked_over_tcp() -> None:
    def lower(question: bytes) -> bytes:
        return reply(question[:12] + question[12:].lower(), GOOD)

    with recursor(lambda q: [lower(q)], lambda q: [framed(lower(q))]) as server:
        found, _, _ = resolved(server.port)
    assert len(found) == 1
    with recursor(lambda q: [lower(q)]) as server:
        assert resolved(server.port)[0] == ()
