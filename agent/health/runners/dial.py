"""Making a TCP connection, with TLS if asked for: every address of the host in turn."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from pyconsul.agent.common.go.network_errors import LOCAL_FAULTS, dial_error, phrase, root_cause
from pyconsul.agent.health.runners.result import LocalFault

Address = tuple[socket.AddressFamily, tuple[str, int]]
P = TypeVar("P", bound=asyncio.BaseProtocol)


class DialError(Exception):
    """No connection came about; the text says why, such as `dial tcp 127.0.0.1:1: connect: connection refused`."""


async def dial(
    protocol: Callable[[], P],
    host: str,
    port: str,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str = "",
    allowed: float | None = None,
) -> tuple[asyncio.Transport, P]:
    """Connect within `allowed` seconds (None: the caller sees to that); raises DialError, LocalFault."""
    tried = host
    try:
        async with asyncio.timeout(allowed):
            addresses = await resolve(host, port, socket.SOCK_STREAM)
            tried = addresses[0][1][0]
            return await _first(protocol, addresses, tls, server_name or host or "localhost")
    except OSError as error:  # a timeout is one, too
        if allowed is None and isinstance(error, TimeoutError) and error.errno is None:
            raise
        raise_local_fault(error)
        raise DialError(dial_error("tcp", tried, port, error)) from error


def raise_local_fault(error: OSError) -> None:
    """Raise LocalFault when an error is one of this machine."""
    cause = root_cause(error)
    if isinstance(cause, OSError) and cause.errno in LOCAL_FAULTS:
        raise LocalFault(phrase(cause)) from error


async def dial_unix(protocol: Callable[[], P], path: str) -> tuple[asyncio.Transport, P]:
    """Connect to a unix socket; raises DialError, LocalFault."""
    try:
        return await asyncio.get_running_loop().create_unix_connection(protocol, path)
    except OSError as error:
        raise_local_fault(error)
        raise DialError(phrase(error)) from error


async def resolve(host: str, port: str, kind: socket.SocketKind) -> list[Address]:
    """Return the addresses of a host, in the order to try them; an empty host is this machine.  Raises OSError."""
    if port.isdigit() and is_ipv4(host):
        return [(socket.AF_INET, (host, int(port)))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host or "localhost", port, type=kind)
    except UnicodeError:  # a name that cannot be one, such as `a..b`
        raise socket.gaierror(socket.EAI_NONAME, "no such host") from None
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


def is_ipv4(host: str) -> bool:
    """Return whether this is an address rather than a name."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True


async def _first(
    protocol: Callable[[], P], addresses: list[Address], tls: ssl.SSLContext | None, name: str
) -> tuple[asyncio.Transport, P]:
    loop = asyncio.get_running_loop()
    first_error: OSError | None = None
    for _, (address, port) in addresses:
        try:
            return await loop.create_connection(protocol, address, port, ssl=tls, server_hostname=name if tls else None)
        except OSError as error:
            first_error = first_error or error
    raise first_error or OSError("no address")
