"""Joins the pools of addresses: resolves names, contacts every address, and tests UDP with who answered."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Protocol

import msgspec

from pyconsul.agent.common.go.network_errors import join_address
from pyconsul.agent.gossip.driver.sockets import ip_of
from pyconsul.agent.gossip.driver.streams import StreamError
from pyconsul.agent.gossip.join_address import JoinAddress, parse_join_address
from pyconsul.agent.gossip.membership import JoinFailure, JoinResult
from pyconsul.agent.gossip.swim.push_pull import MergeRefused
from pyconsul.agent.gossip.wire.messages import Address

MAX_CONTACTS = 16  # addresses that are tried at once


class Contact(msgspec.Struct, frozen=True):
    """An address that answered by TCP. `passes_udp`: so did UDP, both ways."""

    is_self: bool
    passes_udp: bool


class Joinable(Protocol):
    """The part of a pool that joining uses."""

    async def contact(self, address: Address) -> Contact:
        """Test UDP, and join the pool of an address. Raises StreamError, MergeRefused."""

    def announce(self) -> None:
        """Tell the pool that this agent has joined."""


class _Target(msgspec.Struct, frozen=True):
    """One address to contact."""

    address: Address

    @property
    def text(self) -> str:
        ip = ipaddress.ip_address(self.address.ip)
        return join_address(str(ip), self.address.port)


async def join(addresses: Sequence[str], pool: Joinable, *, default_port: int, timeout_s: float) -> JoinResult:
    """Join the pools of addresses. `timeout_s`: for looking up one name. Never raises."""
    resolved = await asyncio.gather(*(_resolve(text, default_port, timeout_s) for text in addresses))
    targets: dict[_Target, None] = {}
    failures: list[JoinFailure] = []
    for found in resolved:
        if isinstance(found, JoinFailure):
            failures.append(found)
        else:
            targets.update(dict.fromkeys(found))
    slots = asyncio.Semaphore(MAX_CONTACTS)
    outcomes = await asyncio.gather(*(_contact(target, pool, slots) for target in targets))
    contacts = [(target, found) for target, found in zip(targets, outcomes, strict=True) if isinstance(found, Contact)]
    failures += [found for found in outcomes if isinstance(found, JoinFailure)]
    if contacts:
        pool.announce()
    return JoinResult(
        contacted=len(contacts),
        contacted_self=sum(contact.is_self for _, contact in contacts),
        failures=tuple(failures),
        without_udp=tuple(target.text for target, contact in contacts if not contact.passes_udp),
    )


async def _contact(target: _Target, pool: Joinable, slots: asyncio.Semaphore) -> Contact | JoinFailure:
    async with slots:
        try:
            return await pool.contact(target.address)
        except (StreamError, MergeRefused) as error:
            return JoinFailure(target.text, str(error))


async def _resolve(text: str, default_port: int, timeout_s: float) -> list[_Target] | JoinFailure:
    """Return all addresses of what the user has given."""
    try:
        where = parse_join_address(text, default_port)
        return [_Target(Address(ip, where.port)) for ip in await _lookup(where, timeout_s)]
    except (ValueError, OSError) as error:
        return JoinFailure(text, str(error), is_unresolved=True)


async def _lookup(where: JoinAddress, timeout_s: float) -> list[bytes]:
    """Return the IP addresses of a host. Raises OSError or ValueError with Go's text."""
    try:
        return [ip_of(str(ipaddress.ip_address(where.host)))]
    except ValueError:
        pass
    try:
        if not where.host:
            raise socket.gaierror(socket.EAI_NONAME, "")
        async with asyncio.timeout(timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(where.host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        reason = "Temporary failure in name resolution" if error.errno == socket.EAI_AGAIN else "no such host"
        raise ValueError(f"lookup {where.host}: {reason}") from None
    except UnicodeError:  # a name that cannot be one, such as "a..b"
        raise ValueError(f"lookup {where.host}: no such host") from None
    except TimeoutError:
        raise ValueError(f"lookup {where.host}: i/o timeout") from None
    return list(dict.fromkeys(ip_of(str(address[0])) for _, _, _, _, address in found))
