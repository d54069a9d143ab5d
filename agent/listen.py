"""Opens the agent's sockets, and says which port was taken and how to choose another."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

BACKLOG = 2048


class ListenError(Exception):
    """A socket could not be opened; the text says which, why, and what to change."""


def tcp(host: str, port: int, setting: str) -> socket.socket:
    """A listening TCP socket; `setting` is the option that names its port."""
    return _bound(host, port, setting, socket.SOCK_STREAM)


def udp(host: str, port: int, setting: str) -> socket.socket:
    """A bound UDP socket."""
    return _bound(host, port, setting, socket.SOCK_DGRAM)


def unix(path: str) -> socket.socket:
    """A listening unix socket; one left over from a process that is gone is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            _refuse_living(path)
            os.unlink(path)
        sock.bind(path)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on unix://{path}: {error.strerror or error}") from error
    sock.setblocking(False)
    return sock


def _refuse_living(path: str) -> None:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        return
    finally:
        probe.close()
    raise OSError(errno.EADDRINUSE, "another process answers there")


def _bound(host: str, port: int, setting: str, kind: socket.SocketKind) -> socket.socket:
    name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            reason = "the port is taken by another process"
        raise ListenError(
            f"cannot listen on {name} {host} port {port}: {reason}; {setting} chooses another port"
        ) from error
    sock.setblocking(False)
    return sock
