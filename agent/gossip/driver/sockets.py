"""The sockets of a pool: one for packets (UDP), one that listens for streams (TCP), on the same port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from functools import lru_cache

from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.gossip.settings import PoolError
from pyconsul.agent.gossip.swim.member import normal_ip
from pyconsul.agent.gossip.wire.messages import Address

#: Bytes of received packets that the system keeps while the agent is busy; it may allow less.
RECEIVE_BUFFER = 2 << 20
BACKLOG = 1024  # streams that the system accepts while the agent is busy
_ATTEMPTS = 10  # to find a port that is free for both, if any port will do
_SO_RCVBUFFORCE = 33  # Linux; beyond the limit of the system, for root

#: Where a socket sends to or receives from, as the system has it.
SocketAddress = tuple[str, int]


def open_sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return the bound UDP socket and the listening TCP socket; port 0 is any free one. Raises PoolError."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _open_sockets(host, port)
        except PoolError:
            if port or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _open_sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    with contextlib.ExitStack() as opened:
        tcp = opened.enter_context(_bound("tcp", host, port, socket.SOCK_STREAM))
        udp = opened.enter_context(_bound("udp", host, tcp.getsockname()[1], socket.SOCK_DGRAM))
        tcp.listen(BACKLOG)
        opened.pop_all()
    return udp, tcp


def _bound(network: str, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6 and host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            _enlarge(sock)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise PoolError(f"listen {network} {join_address(host, port)}: bind: {phrase(error)}") from error
    return sock


def _enlarge(sock: socket.socket) -> None:
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            return


@lru_cache(maxsize=4096)
def ip_of(host: str) -> bytes:
    """Return the bytes of an address as the system writes it; an IPv4 address within IPv6 as IPv4."""
    if ":" not in host:
        return socket.inet_aton(host)
    return normal_ip(socket.inet_pton(socket.AF_INET6, host.partition("%")[0]))


@lru_cache(maxsize=4096)
def ip_text(ip: bytes) -> str:
    """Return the text of an address of 4 or 16 bytes. Raises ValueError for any other length."""
    return socket.inet_ntop(socket.AF_INET if len(ip) == 4 else socket.AF_INET6, ip)


def sender(udp: socket.socket) -> Callable[[bytes, Address], None]:
    """Return a function that sends a packet at once or raises OSError (BlockingIOError: the system's buffer is full)."""
    send = udp.sendto
    if udp.family == socket.AF_INET:
        return lambda data, address: _sent(send(data, (ip_text(address.ip), address.port)))
    return lambda data, address: _sent(send(data, (_mapped(address.ip), address.port)))


def _sent(size: int) -> None:
    """Forget how many bytes were sent: a packet is sent as a whole."""


def _mapped(ip: bytes) -> str:
    text = ip_text(ip)
    return f"::ffff:{text}" if len(ip) == 4 else text
