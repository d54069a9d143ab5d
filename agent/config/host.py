"""What the host says of itself: its name, and the address it is reached at."""

from __future__ import annotations

import fcntl
import socket
import struct

# A documentation address (RFC 5737, RFC 3849): a datagram socket "connected" to it sends nothing, but chooses a source address.
_FAR_AWAY = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def host_name() -> str:
    """The host's name, as Consul takes it for the node's."""
    return socket.gethostname()


def interface_address(name: str) -> str:
    """The IPv4 address of a network interface (`eth0`); raises OSError when it has none."""
    # SIOCGIFADDR of netdevice(7): the name goes in, a sockaddr_in comes back at byte 16, its address 4 bytes later.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])


def outward_address(family: socket.AddressFamily = socket.AF_INET) -> str:
    """The address other hosts reach this one at; the loopback address when there is no route."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((_FAR_AWAY[family], 9))
            return str(sock.getsockname()[0])
    except OSError:
        return "127.0.0.1" if family == socket.AF_INET else "::1"
