"""Two connections whose bytes go to each other, as fast as the slower of the two takes them."""

from __future__ import annotations

import asyncio
from typing import Any


class End(asyncio.Protocol):
    """One end of a pipe.  What arrives before the other end is there waits, and reading is paused."""

    def __init__(self) -> None:
        self.transport: Any = None
        self._other: End | None = None
        self._waiting = b""  # uvloop starts to read after `connection_made`, whatever that has paused
        self._ended = False

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        if self._other is not None:
            self._other.transport.write(data)
        else:
            self._waiting += data
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Pass the end of one direction on; the other may go on."""
        if self._other is None:
            return False
        if self._other.transport.can_write_eof():
            self._other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Let the other end read nothing more for now."""
        if self._other is not None and not self._other.ended:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the other end go on."""
        if self._other is not None and not self._other.ended:
            self._other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other end, too."""
        self._ended = True
        if self._other is not None and not self._other.ended:
            self._other.transport.close()

    @property
    def ended(self) -> bool:
        """Return whether the connection is gone."""
        return self._ended

    def meet(self, other: End) -> None:
        """Know the other end, and give it what has arrived."""
        self._other = other
        if self._waiting:
            other.transport.write(self._waiting)
            self._waiting = b""
            self.transport.resume_reading()


def join(one: End, other: End) -> None:
    """Let bytes pass between two connections from now on; when one is gone already, close the other."""
    if one.ended or other.ended:
        for end in (one, other):
            if not end.ended:
                end.transport.close()
        return
    one.meet(other)
    other.meet(one)
