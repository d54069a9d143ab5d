"""DNS over TCP (RFC 7766): many questions on one connection, each behind its length.

Answers come in the order of the questions, except those of recursors, which may take long.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.dnsd.responder import Later, Responder

IDLE = 10.0  # seconds without a whole question after which a connection is closed
CONNECTIONS = 128  # of one client at a time
WAITING = 64  # answers of a connection that may be missing, or wait for their turn; reading stops until there are fewer
_SHORTEST = 12  # minimum bytes of a question


@dataclass(slots=True)
class Clients:
    """The open connections: how many of each client, and all of them."""

    counts: Counter[str]
    streams: set[Stream]


@dataclass(slots=True)
class _Turn:
    """The place of an answer among those that are sent in order; None while it is missing."""

    answer: bytes | None = None


class Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, responder: Responder, clients: Clients, tasks: set[asyncio.Task[None]]) -> None:
        self._responder, self._clients, self._tasks = responder, clients, tasks
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._client = ""
        self._full = False  # the client does not read its answers
        self._waiting = 0
        self._turns: deque[_Turn] = deque()
        self._active = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        self._client = (transport.get_extra_info("peername") or ("",))[0]
        self._clients.counts[self._client] += 1
        self._clients.streams.add(self)
        if self._clients.counts[self._client] > CONNECTIONS:
            transport.abort()
            return
        self._timer = self._loop.call_later(IDLE, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.streams.discard(self)
        self._clients.counts[self._client] -= 1
        if not self._clients.counts[self._client]:
            del self._clients.counts[self._client]
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _check(self) -> None:
        """Close when no whole question came for a while, and none is being answered."""
        left = self._active + IDLE - self._loop.time()
        if left > 0 or self._waiting:
            self._timer = self._loop.call_later(max(left, 1.0), self._check)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._work()

    def _work(self) -> None:
        """Answer the complete questions that have arrived, up to the limit of pending answers."""
        buffer, start = self._buffer, 0
        while not self._full and self._waiting < WAITING and len(buffer) - start >= 2:
            length = buffer[start] << 8 | buffer[start + 1]
            if length < _SHORTEST:
                self._transport.close()
                return
            if len(buffer) - start - 2 < length:
                break
            self._ask(bytes(buffer[start + 2 : start + 2 + length]))
            start += 2 + length
        del buffer[:start]
        if self._transport.is_closing():
            return
        if self._full or self._waiting >= WAITING:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _ask(self, packet: bytes) -> None:
        self._active = self._loop.time()
        found = self._responder.respond(packet, False, self._client)
        if isinstance(found, Later):
            turn = self._take_turn() if found.keeps_order else None
            self._waiting += turn is None
            task = self._loop.create_task(self._finish(found, packet[:2], turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif found is None:
            return
        elif self._turns:
            self._take_turn(_framed(packet[:2], found))
        else:
            self._send(_framed(packet[:2], found))

    def _take_turn(self, answer: bytes | None = None) -> _Turn:
        turn = _Turn(answer)
        self._turns.append(turn)
        self._waiting += 1
        return turn

    async def _finish(self, later: Later, number: bytes, turn: _Turn | None) -> None:
        answer = b""
        try:
            answer = _framed(number, await later.finish())
        finally:
            if turn is None:
                self._waiting -= 1
                self._send(answer)
            else:
                turn.answer = answer
                self._send_in_order()
            self._work()

    def _send_in_order(self) -> None:
        while self._turns and (answer := self._turns[0].answer) is not None:
            self._turns.popleft()
            self._waiting -= 1
            self._send(answer)

    def _send(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)


def _framed(number: bytes, found: bytes) -> bytes:
    return (len(found) + 2).to_bytes(2) + number + found
