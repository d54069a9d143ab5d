"""Free ports for the programs that tests start.

They lie below the range from which the system takes ports by itself (32768 and up on Linux), so that none of the many short
connections of other tests takes a port between its choice and its use. Each worker of a test run has a part of the range.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket

FIRST, END, PARTS = 10240, 32768, 16

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens, for TCP and UDP; no port twice in one process."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PARTS
    size = (END - FIRST) // PARTS
    candidates = list(range(FIRST + worker * size, FIRST + (worker + 1) * size))
    random.SystemRandom().shuffle(candidates)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if port not in _given and _is_free(port):
            found.append(port)
    _given.update(found)
    return found


def free_port() -> int:
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", port))
        udp.bind(("127.0.0.1", port))
        return True
    return False
