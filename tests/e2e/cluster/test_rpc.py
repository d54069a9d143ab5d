"""Requests to servers that are killed, stopped, restarted or attacked in between."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from support.eventually import eventually_async
from support.rpc_agents import Agent, Network, get, network, server_at
from support.rpc_child import RPCChild
from support.rpc_pair import whole

from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import Lost, NotSent, RPCError
from pyconsul.agent.rpc.home import HomeConnection
from pyconsul.agent.rpc.transport.connection import DEAD_S

SECONDS = 15.0


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    async with network() as made:
        yield made


@pytest.fixture
def child(net: Network) -> Iterator[RPCChild]:
    with RPCChild("s1") as started:
        net.servers.put(server_at("s1", started.port))
        yield started


def asking(client: Agent, target: str, body: bytes = b"") -> asyncio.Task[Response]:
    return asyncio.ensure_future(client.peers.ask("id-s1", get(target, body)))


async def echoes(client: Agent) -> bool:
    try:
        return (await asking(client, "/echo")).body == b"echo"
    except RPCError:
        return False


async def test_a_killed_server_loses_its_requests_at_once_and_is_found_again(net: Network, child: RPCChild) -> None:
    client = await net.client("web1")
    assert await echoes(client)
    waiting = [asking(client, "/wait") for _ in range(100)]
    streams = [await asking(client, "/stream") for _ in range(3)]
    child.kill()
    began = time.monotonic()
    for task in waiting:
        with pytest.raises(Lost, match="the connection to agent s1 is lost"):
            await task
    for stream in streams:
        with pytest.raises(Lost):
            await whole(stream)
    assert time.monotonic() - began < SECONDS
    with pytest.raises(NotSent, match="connection refused"):
        await asking(client, "/echo")
    with RPCChild("s1", child.port):
        await eventually_async(lambda: echoes(client))


async def test_a_stopped_process_is_noticed_in_seconds_and_asked_again_once_it_goes_on(
    net: Network, child: RPCChild
) -> None:
    client = await net.client("web1")
    waiting = asking(client, "/wait")
    assert await echoes(client)
    child.pause()
    began = time.monotonic()
    with pytest.raises(Lost, match="no sign of life of agent s1"):
        await asyncio.wait_for(waiting, SECONDS)
    assert time.monotonic() - began >= DEAD_S - 1
    child.resume()
    await eventually_async(lambda: echoes(client))


async def test_a_server_that_ends_in_order_answers_what_runs(net: Network, child: RPCChild) -> None:
    client = await net.client("web1")
    slow = asking(client, "/slow")
    waiting = asking(client, "/wait")
    assert await echoes(client)
    child.terminate()
    assert (await slow).body == b"slow"
    with pytest.raises(NotSent):
        await asking(client, "/echo")
    assert not waiting.done()  # it gets its time
    waiting.cancel()
    await eventually_async(lambda: child.has_ended)
    with pytest.raises(NotSent):
        await asking(client, "/echo")


async def test_a_client_agent_is_asked_over_the_connection_that_it_keeps(net: Network, child: RPCChild) -> None:
    client, other = await net.client("web1"), await net.client("web2")
    home = HomeConnection(client.peers, net.servers)
    home.start()
    await eventually_async(client.peers.connected)
    assert (await asking(other, "/ask/WEB1")).body == b"GET /from-server by s1"
    child.kill()
    with RPCChild("s1", child.port):  # the connection comes back by itself

        async def reaches() -> bool:
            try:
                return (await asking(other, "/ask/web1")).status == 200
            except RPCError:
                return False

        await eventually_async(reaches)
    await home.stop()


async def test_garbage_and_half_open_connections_harm_no_request(net: Network, child: RPCChild) -> None:
    client = await net.client("web1")
    assert await echoes(client)
    rng = random.Random(7)

    async def attack() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", child.port)
        writer.write(rng.choice([b"", b"\x02", b"\x02\x00\x10", b"\x01"]) + rng.randbytes(rng.randrange(3000)))
        if rng.random() < 0.5:
            writer.close()
        else:
            held.append(writer)

    held: list[asyncio.StreamWriter] = []
    for _ in range(90):  # below `rpc_max_conns_per_client`
        await attack()
        assert (await asking(client, "/echo", b"x" * 100)).body == b"x" * 100
    for writer in held:
        writer.close()


async def test_large_bodies_pass_between_processes_while_small_requests_go_on(net: Network, child: RPCChild) -> None:
    client = await net.client("web1")
    body = random.Random(1).randbytes(20 << 20)
    large = asking(client, "/echo", body)
    count = 0
    while not large.done():
        assert await echoes(client)
        count += 1
    assert (await large).body == body
    assert count > 20
