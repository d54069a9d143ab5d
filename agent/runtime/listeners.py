"""Opens the agent's sockets, and says which port was taken and how to choose another."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pyconsul.agent.config.config import Config

BACKLOG = 2048


class ListenError(Exception):
    """A socket could not be opened; the text says which, why, and what to change."""


def tcp(host: str, port: int, setting: str) -> socket.socket:
    """A listening TCP socket; `setting` is the option that names its port."""
    return _bound(host, port, setting, socket.SOCK_STREAM)


def udp(host: str, port: int, setting: str) -> socket.socket:
    """A bound UDP socket."""
    return _bound(host, port, setting, socket.SOCK_DGRAM)


class Owner(NamedTuple):
    """Owner, group (names or numbers) and mode (octal digits) of a unix socket; empty: as the process makes it."""

    user: str = ""
    group: str = ""
    mode: str = ""


NO_OWNER = Owner()


def unix(path: str, owner: Owner = NO_OWNER) -> socket.socket:
    """A listening unix socket; one left over from a process that is gone is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            _refuse_other_files(path)
            _refuse_living(path)
            os.unlink(path)
        _bind_unix(sock, path, owner)
        sock.listen(BACKLOG)
    except (OSError, LookupError, ValueError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or error
        raise ListenError(f"cannot listen on unix://{path}: {reason}") from error
    sock.setblocking(False)
    return sock


def http_sockets(config: Config) -> list[socket.socket]:
    """Open the sockets of the HTTP API.  Raises ListenError."""
    sockets = []
    owner = Owner(config.unix_sockets.user, config.unix_sockets.group, config.unix_sockets.mode)
    if config.ports.http > 0:
        for address in (config.addresses.http or config.client_addr).split():
            if address.startswith("unix://"):
                sockets.append(unix(address.removeprefix("unix://"), owner))
            else:
                sockets.append(tcp(address, config.ports.http, "-http-port"))
    return sockets


def dns_sockets(config: Config) -> tuple[list[socket.socket], list[socket.socket]]:
    """Open the sockets of the DNS server, UDP and TCP.  Raises ListenError."""
    if config.ports.dns <= 0:
        return [], []
    hosts = (config.addresses.dns or config.client_addr).split()
    port = config.ports.dns
    return [udp(host, port, "-dns-port") for host in hosts], [tcp(host, port, "-dns-port") for host in hosts]


def _bind_unix(sock: socket.socket, path: str, owner: Owner) -> None:
    """Bind a path; where owner or mode are set, nobody else can connect before they hold.

    Raises OSError, LookupError, ValueError.
    """
    if not any(owner):
        sock.bind(path)
        return
    user = _number(owner.user, "user", lambda name: pwd.getpwnam(name).pw_uid)
    group = _number(owner.group, "group", lambda name: grp.getgrnam(name).gr_gid)
    mode = _mode(owner.mode)
    old = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(old)
    try:
        if user >= 0 or group >= 0:
            os.chown(path, user, group)
        os.chmod(path, 0o777 & ~old if mode is None else mode)
    except OSError as error:
        os.unlink(path)
        raise OSError(error.errno, f"{error.strerror} (unix_sockets)") from error


def _number(text: str, what: str, find: Callable[[str], int]) -> int:
    """The number of a user or group; -1 where none is given."""
    if not text:
        return -1
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return find(text)
    except KeyError:
        raise LookupError(f"unix_sockets.{what}: no such {what}: {text!r}") from None


def _mode(text: str) -> int | None:
    if not text:
        return None
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ValueError(f"unix_sockets.mode: {text!r} is not a mode; allowed: octal digits such as 0660")
    return mode


def _refuse_other_files(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError(errno.EEXIST, "there is a file that is not a socket; name another path, or remove it")


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
