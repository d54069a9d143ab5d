"""Questions over TCP: the order of their answers, and how many may wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.agent.dnsd.responder import Later, Responder
from pyconsul.agent.dnsd.stream import WAITING, Clients, Stream


class Transport:
    """A connection whose answers a test reads."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.reads = True

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", 4711

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        assert int.from_bytes(data[:2]) == len(data) - 2
        self.answers.append(f"{int.from_bytes(data[2:4])}:{data[4:].decode()}")

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Answers:
    """Answers by the text of the question: `now`, and those that a test gives later; `r` ones are of recursors."""

    def __init__(self) -> None:
        self.pending: dict[str, asyncio.Future[bytes]] = {}

    def respond(self, packet: bytes, udp: bool, source: str) -> bytes | Later | None:
        name = packet[2:].decode().strip()
        if name == "now":
            return b"now"
        future = self.pending[name] = asyncio.get_running_loop().create_future()

        async def finish() -> bytes:
            return await future

        return Later(finish, keeps_order=not name.startswith("r"))

    async def give(self, name: str) -> None:
        self.pending[name].set_result(name.encode())
        for _ in range(4):
            await one_turn()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def stream(answers: Answers, transport: Transport) -> Any:
    made = Stream(cast(Responder, answers), Clients(Counter(), set()), set())
    made.connection_made(transport)
    yield made
    made.connection_lost(None)


async def ask(stream: Stream, *names: str) -> None:
    packets = [number.to_bytes(2) + name.ljust(10).encode() for number, name in enumerate(names)]
    stream.data_received(b"".join(len(packet).to_bytes(2) + packet for packet in packets))
    for _ in range(4):
        await one_turn()


async def test_answers_come_in_the_order_of_the_questions(
    stream: Stream, answers: Answers, transport: Transport
) -> None:
    await ask(stream, "now", "a", "now", "b", "now")
    assert transport.answers == ["0:now"]
    await answers.give("b")
    assert transport.answers == ["0:now"]
    await answers.give("a")
    assert transport.answers == ["0:now", "1:a", "2:now", "3:b", "4:now"]


async def test_recursors_delay_no_other_answer(stream: Stream, answers: Answers, transport: Transport) -> None:
    await ask(stream, "r", "now", "a")
    assert transport.answers == ["1:now"]
    await answers.give("a")
    await answers.give("r")
    assert transport.answers == ["1:now", "2:a", "0:r"]


async def test_an_answer_that_fails_delays_none_for_ever(
    stream: Stream, answers: Answers, transport: Transport
) -> None:
    await ask(stream, "a", "now")
    answers.pending["a"].cancel()
    for _ in range(4):
        await one_turn()
    assert transport.answers == ["1:now"]


async def test_reading_stops_while_many_answers_wait(stream: Stream, answers: Answers, transport: Transport) -> None:
    await ask(stream, "a", *["now"] * (WAITING + 5))
    assert not transport.reads
    await answers.give("a")
    assert (len(transport.answers), transport.reads) == (WAITING + 6, True)
