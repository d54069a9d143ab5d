"""Agents ask each other over loopback: dialing, both directions, restarts, refusals, the end."""

from __future__ import annotations

import asyncio

import pytest
from support.rpc_agents import get, network

from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer


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
