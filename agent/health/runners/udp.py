"""UDP checks: passing unless the system reports a closed port; silence counts as success."""

from __future__ import annotations

import asyncio
import socket

from pyconsul.agent.common.go.network_errors import dial_error, join_address, phrase, split_address
from pyconsul.agent.health.definition import CheckDefinition, seconds_allowed
from pyconsul.agent.health.runners.dial import raise_local_fault, resolve
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.model.check import CRITICAL, PASSING


async def run_udp(definition: CheckDefinition) -> Result:
    """Send an empty datagram and wait for an answer, or for the ICMP message that says "port unreachable"."""
    try:
        host, port = split_address(definition.udp)
    except ValueError as error:
        return Result(CRITICAL, f"dial udp: {error}")
    allowed = seconds_allowed(definition)
    success = Result(PASSING, f"UDP connect {definition.udp}: Success")
    try:
        async with asyncio.timeout(allowed):
            addresses = await resolve(host, port, socket.SOCK_DGRAM)
    except OSError as error:
        return Result(CRITICAL, dial_error("udp", host, port, error))
    family, address = addresses[0]
    with _socket(family) as link:
        link.setblocking(False)
        try:
            link.connect(address)
            async with asyncio.timeout(allowed):
                link.send(b"")
                await asyncio.get_running_loop().sock_recv(link, 1)
        except TimeoutError:
            return success
        except OSError as error:
            return Result(CRITICAL, _read_fault(link, address, error))
    return success


def _socket(family: int) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise_local_fault(error)
        raise


def _read_fault(link: socket.socket, address: tuple[str, int], error: OSError) -> str:
    mine = link.getsockname()
    return f"read udp {join_address(mine[0], mine[1])}->{join_address(*address)}: read: {phrase(error)}"
