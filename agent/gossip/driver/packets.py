"""The packet socket: takes what has arrived in bounded portions, so that a flood leaves time for the rest of the agent.

After a portion that took its whole time, the socket rests for as long: gossip gets half of a busy event loop at most. What does not
fit into the system's buffer meanwhile is lost, as packets may be.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

from pyconsul.agent.gossip.driver.sockets import SocketAddress, sender
from pyconsul.agent.gossip.wire.messages import Address

#: Packets of one turn of the event loop, and the time in seconds after which a turn ends with fewer.
MAX_PACKETS = 128
MAX_TURN_S = 0.003
_CLOCK_EVERY = 8  # packets between two looks at the clock
_LARGEST = 1 << 16  # bytes of a packet


class PacketSocket:
    """Sends packets, and hands received ones over.

    `receive` is called with each packet and its source, `finished` after each portion. Neither may raise.
    """

    def __init__(
        self,
        udp: socket.socket,
        receive: Callable[[bytes, SocketAddress], None],
        finished: Callable[[], None],
    ) -> None:
        self._socket = udp
        self._receive = receive
        self._finished = finished
        self._send = sender(udp)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rest: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Receive from now on, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._readable)

    def send(self, data: bytes, address: Address) -> None:
        """Send a packet. Raises OSError or ValueError; a packet that the system has no room for is lost, like others."""
        self._send(data, address)

    def drain(self) -> bool:
        """Take what has arrived; return whether there may be more."""
        take, receive = self._socket.recvfrom, self._receive
        ends_at = monotonic() + MAX_TURN_S
        for count in range(1, MAX_PACKETS + 1):
            try:
                data, source = take(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                continue  # an ICMP error about a packet sent before
            receive(data, source)
            if count % _CLOCK_EVERY == 0 and monotonic() >= ends_at:
                return True
        return True

    def close(self) -> None:
        """Receive nothing more; may be called again."""
        if self._rest is not None:
            self._rest.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop = None
        self._socket.close()

    def _readable(self) -> None:
        started = monotonic()
        may_be_more = self.drain()
        self._finished()
        took_s = monotonic() - started
        if may_be_more and took_s >= MAX_TURN_S and self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._rest = self._loop.call_later(took_s, self._go_on)

    def _go_on(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._socket, self._readable)
