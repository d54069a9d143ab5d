"""Limits on what the peer of a check sends: bytes, parts, and the share of the event loop that reading it takes.

A check's peer is not trusted. Without limits one of them can fill the memory or stop the event loop for all other work.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

MAX_HEAD_BYTES = 64 << 10  # status line and headers of an HTTP response, all interim responses included
MAX_RUN_BYTES = 1 << 20  # what one connection of a run may send
MAX_PARTS = 10_000  # chunks of a body
MAX_EXCERPT = 256  # characters of a peer's own words in an error

SLICE_BYTES = 16 << 10
PAUSE_AFTER_BYTES = 64 << 10
PAUSE_AFTER_READS = 256
MIN_PAUSE_S = 0.001
IDLE_SHARE = 9  # reading pauses for so many times the time that handling the last bytes took


def excerpt(text: str, limit: int = MAX_EXCERPT) -> str:
    """Return the beginning of a text that a peer chose."""
    return text if len(text) <= limit else f"{text[:limit]}…"


class BoundedProtocol(asyncio.Protocol):
    """A connection that hands received bytes to `take` in slices, until `finished` or `max_bytes` (then `overrun`).

    After every 64 KB reading pauses for nine times as long as handling them took, so a peer that sends as fast as it can
    occupies at most a tenth of the event loop.
    """

    def __init__(self, max_bytes: int = MAX_RUN_BYTES) -> None:
        self._left = max_bytes  # bytes that may still come
        self._transport: asyncio.Transport | None = None
        self._unpaused_bytes = self._unpaused_reads = 0
        self._spent_s = 0.0

    @property
    def left(self) -> int:
        """Number of bytes that the peer may still send."""
        return self._left

    def take(self, data: bytes) -> None:
        """Handle the next bytes."""
        raise NotImplementedError

    def overrun(self) -> None:
        """End the run: the peer has sent too much."""
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        """Return whether no more data is needed."""
        raise NotImplementedError

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        began = time.perf_counter()
        for start in range(0, len(data), SLICE_BYTES):
            if self.finished:
                break
            part = data[start : start + min(SLICE_BYTES, self._left)]
            self._left -= len(part)
            self.take(part)
            if not self._left and not self.finished:
                self.overrun()
        self._spent_s += time.perf_counter() - began
        self._unpaused_bytes += len(data)
        self._unpaused_reads += 1
        if self.finished or self._unpaused_bytes >= PAUSE_AFTER_BYTES or self._unpaused_reads >= PAUSE_AFTER_READS:
            self._pause()

    def _pause(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        if not self.finished:
            pause_s = max(MIN_PAUSE_S, IDLE_SHARE * self._spent_s)
            asyncio.get_running_loop().call_later(pause_s, self._resume)
        self._unpaused_bytes = self._unpaused_reads = 0
        self._spent_s = 0.0

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
