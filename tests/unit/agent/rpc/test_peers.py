"""Agents ask each other over loopback: dialing, both directions, restarts, refusals, the end."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import msgspec
import pytest
from support.eventually import eventually_async
from support.rpc_agents import get, network, server_at

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer, RateExceeded
from pyconsul.agent.rpc.home import HomeConnection
from pyconsul.agent.rpc.settings import RPCSettings
from pyconsul.agent.rpc.transport.connection import DOUBT_S


async def test_a_request_and_its_response() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        response = await client.ask(server, get("/v1/kv/a?raw", b"body"))
        assert (response.status, response.body) == (200, b"GET /v1/kv/a?raw by web1")
        assert response.headers == ((b"X-Body", b"body"),)


async def test_a_server_asks_a_client_agent_over_the_connection_of_this_one() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("Web1")
        assert server.peers.find("web1") is None
        with pytest.raises(NotSent, match="agent id-Web1 is not connected"):
            await server.ask(client, get("/"))
        await client.ask(server, get("/"))
        assert server.peers.find("wEB1") == Peer("id-Web1", "Web1", "dc1", False, "1.2.3")
        assert (await server.ask(client, get("/v1/agent/self"))).body == b"GET /v1/agent/self by s1"


async def test_requests_that_wait_for_one_server_dial_once() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        responses = await asyncio.gather(*(client.ask(server, get(f"/{number}")) for number in range(100)))
        assert [response.body for response in responses] == [b"GET /%d by web1" % number for number in range(100)]


async def test_a_large_body_passes_both_ways() -> None:
    def serve(request: HTTPRequest, peer: Peer) -> Response:
        return Response(200, request.body[::-1])

    async with network() as net:
        server, client = await net.server("s1", serve), await net.client("web1")
        body = bytes(range(256)) * 20_000
        assert (await client.ask(server, get("/", body))).body == body[::-1]


async def test_streams_pass_both_ways() -> None:
    async def doubled(request: HTTPRequest) -> Response:
        async def parts():  # type: ignore[no-untyped-def]
            assert request.stream is not None
            async for part in request.stream:
                yield part * 2

        return Response(200, stream=parts())

    async def upload():  # type: ignore[no-untyped-def]
        for _ in range(100):
            yield b"x" * 10_000

    async with network() as net:
        server, client = await net.server("s1", lambda request, peer: doubled(request)), await net.client("web1")
        response = await client.ask(server, get("/", stream=upload()))
        assert response.stream is not None
        assert b"".join([part async for part in response.stream]) == b"x" * 2_000_000


async def test_a_server_that_restarts_is_asked_again() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        await client.ask(server, get("/"))
        await server.stop()
        with pytest.raises(NotSent, match=r"cannot reach server s1 at 127\.0\.0\.1:[0-9]+: connection refused"):
            await client.ask(server, get("/"))
        server = await net.server("s1")
        assert (await client.ask(server, get("/"))).status == 200


async def test_a_client_agent_keeps_a_connection_to_a_server() -> None:
    async with network() as net:
        first, second, client = await net.server("s1"), await net.server("s2"), await net.client("web1")
        home = HomeConnection(client.peers, net.servers)
        home.start()
        await eventually_async(lambda: first.peers.find("web1") or second.peers.find("web1"))
        assert len(client.peers.connected()) == 1
        near, far = (first, second) if first.peers.find("web1") else (second, first)
        net.servers.drop(near.name)
        await near.stop()
        await eventually_async(lambda: far.peers.find("web1"))
        assert (await far.ask(client, get("/"))).status == 200
        net.servers.drop(far.name)
        await far.stop()
        await eventually_async(lambda: not client.peers.connected())
        third = await net.server("s3")  # gossip hears of a new one
        await eventually_async(lambda: third.peers.find("web1"))
        await home.stop()


async def test_two_servers_that_dial_each_other_at_once_keep_one_connection() -> None:
    async with network() as net:
        one, two = await net.server("s1"), await net.server("s2")
        responses = await asyncio.gather(*(a.ask(b, get("/")) for a, b in [(one, two), (two, one)] * 10))
        assert {response.body for response in responses} == {b"GET / by s1", b"GET / by s2"}
        await eventually_async(lambda: one.peers.open_connections == two.peers.open_connections == 1)
        assert (await one.ask(two, get("/"))).status == (await two.ask(one, get("/"))).status == 200
        assert one.peers.open_connections == two.peers.open_connections == 1


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        ({"datacenter": "dc2"}, "agent web1 belongs to datacenter dc2, agent s1 to dc1"),
        ({"keys": (b"x" * 16,)}, "does not know a gossip key of agent"),
        ({"keys": ()}, "agent web1 does not know a gossip key of agent s1 (setting `encrypt`)"),
    ],
)
async def test_a_refused_agent_is_told_why_and_so_is_the_log(
    theirs: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with network() as net:
        server = await net.server("s1", keys=(b"k" * 16,))
        client = await net.client("web1", **{"keys": (b"k" * 16,), **theirs})
        for _ in range(3):
            with pytest.raises(NotSent, match=re.escape(reason)) as caught:
                await client.ask(server, get("/"))
        assert str(caught.value).startswith(f"server s1 at 127.0.0.1:{server.port} refuses the connection: ")
        assert len([line for line in caplog.messages if reason in line]) == 2  # once by each of them


async def test_keys_are_rotated_one_agent_after_the_other() -> None:
    old, new = b"o" * 16, b"n" * 32
    async with network() as net:
        server = await net.server("s1", keys=(old,))
        for ring_of_server, ring_of_client in [
            ((old,), (old, new)), ((old, new), (old, new)), ((new, old), (old, new)), ((new, old), (new, old)), ((new,), (new, old))
        ]:  # fmt: skip
            server.use_keys(*ring_of_server)
            client = await net.client("web1", keys=ring_of_client)
            assert (await client.ask(server, get("/"))).status == 200


async def test_a_copied_data_directory_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    async with network() as net:
        server = await net.server("s1")
        copy = await net.server("s2")
        copy.identity = msgspec.structs.replace(copy.identity, node_id=server.node_id)
        with pytest.raises(NotSent, match="cannot send requests to itself"):
            await copy.ask(server, get("/"))
        with pytest.raises(NotSent, match="agents s1 and s2 have the same node ID id-s1: remove the file node-id"):
            await server.peers.ask("id-s2", get("/"))


async def test_another_agent_at_the_address_is_not_asked() -> None:
    async with network() as net:
        server, client = await net.server("s1"), await net.client("web1")
        net.servers.put(server_at("s2", server.port))
        with pytest.raises(NotSent, match="there is agent s1 with node ID id-s1 at this address, not id-s2"):
            await client.peers.ask("id-s2", get("/"))


async def test_a_client_agent_may_send_so_many_requests() -> None:
    settings = RPCSettings(rate=0.001, max_burst=3)
    async with network() as net:
        server, client = await net.server("s1", settings=settings), await net.client("web1", settings=settings)
        for _ in range(3):
            await client.ask(server, get("/"))
        with pytest.raises(RateExceeded, match="RPC rate limit exceeded"):
            await client.ask(server, get("/"))
        for _ in range(4):  # a server may send any number
            await server.ask(client, get("/"))


async def test_requests_to_a_server_that_gossip_takes_for_gone_end_unless_it_answers() -> None:
    waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    async with network() as net:
        server, client = await net.server("s1", lambda request, peer: waiting), await net.client("web1")
        asked = asyncio.ensure_future(client.ask(server, get("/")))
        await eventually_async(lambda: server.peers.find("web1"))
        net.servers.drop("s1")  # wrongly: it answers the ping
        assert (await asyncio.wait({asked}, timeout=2 * DOUBT_S))[1]
        waiting.set_result(Response(200))
        assert (await asked).status == 200


async def test_requests_to_a_server_without_a_cable_end_as_soon_as_gossip_takes_it_for_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, and says nothing
        async with network() as net:
            client = await net.client("web1")
            net.servers.put(server_at("s1", deaf.getsockname()[1]))
            asked = asyncio.ensure_future(client.peers.ask("id-s1", get("/")))
            await asyncio.to_thread(deaf.accept)
            net.servers.drop("s1")
            with pytest.raises(NotSent, match="the server has failed or left"):
                await asked


async def test_of_two_agents_with_one_node_id_the_first_stays_connected() -> None:
    async with network() as net:
        server, first, second = await net.server("s1"), await net.client("web1"), await net.client("web2")
        second.identity = msgspec.structs.replace(second.identity, node_id=first.node_id)
        await first.ask(server, get("/"))
        kept = server.peers.find("web1")
        for _ in range(2):
            with pytest.raises(NotSent, match="agents web2 and web1 have the same node ID id-web1: remove the file"):
                await second.ask(server, get("/"))
        assert server.peers.find("web1") is kept
        assert (await first.ask(server, get("/"))).status == 200
        await first.stop(1.0)
        await eventually_async(lambda: server.peers.find("web1") is None)
