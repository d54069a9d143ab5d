"""Limits on what a client may send, and on memory for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """Bytes of request bodies that all connections together may hold, and do hold."""

    limit: int
    used: int = 0


@dataclass(slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    target: int = 16 << 10
    head: int = 256 << 10  # request line and headers, in memory (see `reader.HEADER_COST`)
    headers: int = 1000  # header lines
    pipelined: int = 16  # requests read before the first is answered
    send_timeout_s: float = 30.0  # for a request to arrive; a streamed body: between two parts
    half_closed_s: float = 2.0  # that a client which sends no more may wait for its response
    linger_s: float = 2.0  # during which a refused client may still send, so that it can read the refusal
    stop_s: float = 2.0  # that running requests get when the server stops
    lifetime_s: float = 0.0  # of a connection; 0: no limit
    connections: int = 0  # of all clients together; 0: no limit
    connections_per_client: Callable[[], int] = field(default=lambda: 0)  # 0: no limit
    bodies: Budget = field(default_factory=lambda: Budget(64 << 20))
