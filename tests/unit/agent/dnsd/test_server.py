"""The servers in an event loop of the test's own: IPv4 and IPv6, idle connections, and stopping."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
from support.dns_catalog import Catalog

from pyconsul.agent.dnsd import stream
from pyconsul.agent.dnsd.server import DNSServer
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.runtime import listeners

PATIENCE = 15.0
QUERY = dns.message.make_query("web.service.consul", "A")


@asynccontextmanager
async def serving(catalog: Catalog, host: str = "127.0.0.1", settings: Settings | None = None) -> AsyncIterator[int]:
    """The port of a server for both protocols."""
    tcp = listeners.tcp(host, 0, "-dns-port")
    port = tcp.getsockname()[1]
    server = DNSServer(catalog.responder(settings), [listeners.udp(host, port, "-dns-port")], [tcp])
    await server.start()
    try:
        yield port
    finally:
        await server.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_both_protocols_and_both_families(catalog: Catalog, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    catalog.many(1)
    async with serving(catalog, host) as port:
        for _ in range(3):
            by_udp = await dns.asyncquery.udp(QUERY, host, PATIENCE, port)
            by_tcp = await dns.asyncquery.tcp(QUERY, host, PATIENCE, port)
            assert [str(one.answer[0][0]) for one in (by_udp, by_tcp)] == ["10.0.0.1"] * 2


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_idle_connections_are_closed(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE", 0.05)
    async with serving(catalog) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\0\x40half a question")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), PATIENCE)
        writer.close()


async def test_a_client_that_does_not_read_is_not_read_from(catalog: Catalog) -> None:
    catalog.many(100)
    packet = dns.message.make_query("web.service.consul", "SRV").to_wire()
    async with serving(catalog) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        count = 3000
        writer.write((len(packet).to_bytes(2) + packet) * count)  # its answers are 18 MB
        for _ in range(count):
            length = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), PATIENCE))
            assert (await asyncio.wait_for(reader.readexactly(length), PATIENCE))[:2] == packet[:2]
        writer.close()


async def test_stopping_does_not_wait_for_recursors(catalog: Catalog) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = Settings(recursors=(silent.getsockname(),), recursor_timeout=3600.0)
        async with serving(catalog, settings=settings) as port:
            other = dns.message.make_query("www.example.com", "A").to_wire()
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(other, ("127.0.0.1", port))
                silent.setblocking(False)
                asked = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(silent, 500), PATIENCE)
            assert asked[2:].lower() == other[2:].lower()


async def test_too_many_waiting_questions_fail_at_once(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.dnsd.recursors.MOST", 0)
    async with serving(catalog, settings=Settings(recursors=(("127.0.0.1", 9),))) as port:
        answer = await dns.asyncquery.udp(dns.message.make_query("www.example.com", "A"), "127.0.0.1", PATIENCE, port)
        assert answer.rcode() == dns.rcode.SERVFAIL
