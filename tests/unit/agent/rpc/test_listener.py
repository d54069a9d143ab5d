"""The RPC port: what the first byte says, limits, garbage, and agents that do not introduce themselves."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest
from support.eventually import eventually_async
from support.rpc_agents import get, network, server_at

from pyconsul.agent.rpc.contract import NotSent
from pyconsul.agent.rpc.settings import RPCSettings


async def answer_to(port: int, data: bytes) -> bytes:
    """Return all that a listener sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_the_connection_of_a_relay_is_handed_over_with_all_its_bytes() -> None:
    taken: list[tuple[socket.socket, str]] = []
    async with network() as net:
        server = await net.server("s1", hand_over=lambda sock, peer: taken.append((sock, peer)))
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x01hello")
        await eventually_async(lambda: taken)
        [(sock, peer)] = taken
        with closing(sock):
            host, port = writer.get_extra_info("sockname")
            assert peer == f"{host}:{port}"
            assert await asyncio.get_running_loop().sock_recv(sock, 100) == b"\x01hello"
        writer.close()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "no agent of pyconsul (first byte 0x47); Consul's own servers cannot be in one cluster with it",
        ),
        (b"\x16\x03\x01\x02\x00", "TLS, which is not configured for agents here"),
        (b"\x01", "the relay of an etcd member, and this agent has none"),
    ],
)
async def test_other_protocols_are_closed_with_one_log_line(
    data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with network() as net:
        server = await net.server("s1")
        for _ in range(3):
            assert await answer_to(server.port, data) == b""
        assert caplog.messages == [f"closed a connection from 127.0.0.1: {reason}"]


@pytest.mark.parametrize(
    "data", [b"\x02\x00\x00", b"\x02\xff\xff", b"\x02\x00\x05hello", b"\x02\x00\x02\x91\xc0" + bytes(100_000)]
)
async def test_garbage_instead_of_a_handshake_is_closed(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        assert await answer_to(server.port, data) == b""
        assert "refused a connection from 127.0.0.1:" in caplog.text
        assert (await client.ask(server, get("/"))).status == 200


async def test_a_probe_of_the_port_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with network() as net:
        server = await net.server("s1")
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.close()
            await writer.wait_closed()
        client = await net.client("web1")
        assert (await client.ask(server, get("/"))).status == 200
        assert not caplog.messages


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x02\x00\x20abc"])
async def test_an_agent_that_does_not_introduce_itself_is_closed(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with network() as net:
        server = await net.server("s1", settings=RPCSettings(handshake_timeout_s=0.05))
        assert await answer_to(server.port, data) == b""
        assert "no handshake in time" in caplog.text


async def test_a_server_that_does_not_answer_is_given_up_by_the_one_that_dials(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with network() as net:
            server = await net.server("s1")
            client = await net.client("web1", settings=RPCSettings(handshake_timeout_s=0.05))
            await server.stop()
            net.servers.put(server_at(server.name, silent.getsockname()[1]))
            with pytest.raises(
                NotSent, match=r"cannot reach server s1 at 127\.0\.0\.1:[0-9]+: no handshake in 0\.05 s"
            ):
                await client.ask(server, get("/"))


async def test_connections_of_one_address_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    settings = RPCSettings(max_connections_per_client=2)
    async with network() as net:
        server = await net.server("s1", settings=settings)
        first, second, third = [await net.client(f"web{number}") for number in range(3)]
        await first.ask(server, get("/"))
        await second.ask(server, get("/"))
        with pytest.raises(NotSent, match="no handshake: "):
            await third.ask(server, get("/"))
        assert (
            "refused a connection from 127.0.0.1: it has 2 connections already (limits.rpc_max_conns_per_client)"
            in caplog.messages
        )
        await first.stop()

        async def third_is_served() -> bool:
            try:
                return (await third.ask(server, get("/"))).status == 200
            except NotSent:
                return False

        await eventually_async(third_is_served)


async def test_silent_connections_count_until_they_are_closed() -> None:
    settings = RPCSettings(max_connections_per_client=1, handshake_timeout_s=0.05)
    async with network() as net:
        server = await net.server("s1", settings=settings)
        client = await net.client("web1")
        assert await answer_to(server.port, b"") == b""  # closed by the time limit
        assert (await client.ask(server, get("/"))).status == 200
        assert await answer_to(server.port, b"\x02") == b""
