"""Joining: what is resolved, contacted, counted and reported."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from support.eventually import one_turn

from pyconsul.agent.gossip.driver.joining import MAX_CONTACTS, Contact, join
from pyconsul.agent.gossip.driver.streams import StreamError
from pyconsul.agent.gossip.membership import JoinFailure
from pyconsul.agent.gossip.swim.push_pull import MergeRefused
from pyconsul.agent.gossip.wire.messages import Address


class FakePool:
    """Answers contacts by address: a Contact, or an exception."""

    def __init__(self, **answers: Contact | Exception) -> None:
        self._answers = answers
        self.contacted: list[Address] = []
        self.announced = 0
        self.at_once = self.most_at_once = 0

    async def contact(self, address: Address) -> Contact:
        self.contacted.append(address)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await one_turn()
        self.at_once -= 1
        answer = self._answers.get("a" + str(address.ip[-1]), Contact(is_self=False, passes_udp=True))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def announce(self) -> None:
        self.announced += 1


def ipv4(last: int, port: int = 8301) -> Address:
    return Address(bytes((10, 0, 0, last)), port)


async def test_every_contact_counts_and_the_join_is_announced_once() -> None:
    pool = FakePool(a1=Contact(is_self=True, passes_udp=True), a3=Contact(is_self=False, passes_udp=False))
    result = await join(
        ["10.0.0.1", "10.0.0.2:8401", "10.0.0.3", "[fd00::2]:8302"], pool, default_port=8301, timeout_s=1
    )
    ipv6 = Address(socket.inet_pton(socket.AF_INET6, "fd00::2"), 8302)
    assert pool.contacted == [ipv4(1), ipv4(2, 8401), ipv4(3), ipv6]
    assert (result.contacted, result.contacted_self, result.failures) == (4, 1, ())
    assert result.without_udp == ("10.0.0.3:8301",)
    assert pool.announced == 1


async def test_failures_say_which_address_and_why() -> None:
    pool = FakePool(a1=StreamError("EOF"), a2=MergeRefused("Member 'x' is not a server"))
    result = await join(["10.0.0.1", "10.0.0.2", "10.0.0.3:none"], pool, default_port=8301, timeout_s=1)
    assert result.contacted == 0
    assert [failure.text for failure in result.failures] == [
        "Failed to resolve 10.0.0.3:none: address 10.0.0.3:none: invalid port 'none' (1..65535)",
        "Failed to join 10.0.0.1:8301: EOF",
        "Failed to join 10.0.0.2:8301: Member 'x' is not a server",
    ]
    assert pool.announced == 0


async def test_a_host_name_stands_for_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*addresses: str) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    async def getaddrinfo(host: str, *rest: Any, **options: Any) -> list[Any]:
        if host == "servers.example.org":
            return found("10.0.0.1", "10.0.0.2", "10.0.0.2")
        raise socket.gaierror(socket.EAI_AGAIN if host == "later" else socket.EAI_NONAME, "")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    pool = FakePool()
    addresses = ["servers.example.org:8401", "10.0.0.1:8401", "later", "nobody", "a..b"]
    result = await join(addresses, pool, default_port=8301, timeout_s=1)
    assert pool.contacted == [ipv4(1, 8401), ipv4(2, 8401)]
    assert result.failures == (
        JoinFailure("later", "lookup later: Temporary failure in name resolution", is_unresolved=True),
        JoinFailure("nobody", "lookup nobody: no such host", is_unresolved=True),
        JoinFailure("a..b", "lookup a..b: no such host", is_unresolved=True),
    )


async def test_a_name_server_that_does_not_answer_ends_the_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*rest: Any, **options: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    result = await join(["servers"], FakePool(), default_port=8301, timeout_s=0.01)
    assert result.failures == (JoinFailure("servers", "lookup servers: i/o timeout", is_unresolved=True),)


async def test_many_addresses_are_not_contacted_all_at_once() -> None:
    pool = FakePool()
    result = await join([f"10.0.0.{number}" for number in range(100)], pool, default_port=8301, timeout_s=1)
    assert result.contacted == 100
    assert 1 < pool.most_at_once <= MAX_CONTACTS
