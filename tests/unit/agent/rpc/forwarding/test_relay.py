"""Requests that the agent of the client does not serve itself: which server is asked, and what the client gets."""

from __future__ import annotations

import asyncio

import pytest
from support.joined_agents import JoinedAgents
from support.scripted_reads import turns

from pyconsul.agent.config.sections.http import HTTPConfig
from pyconsul.agent.config.sections.performance import Performance
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import Lost, NotSent, RateExceeded

SHORT = Performance(rpc_hold_timeout=0.05)


def header(response: Response, name: bytes) -> bytes | None:
    found = [value for key, value in response.headers if key == name]
    assert len(found) <= 1, response.headers
    return found[0] if found else None


async def test_a_write_at_a_client_agent_reaches_the_leader_over_one_server_and_then_directly() -> None:
    agents = JoinedAgents()
    assert await agents["c1"].text("PUT", "/v1/kv/a", b"1") == (200, "true")
    agents.served.clear()
    assert await agents["c1"].text("PUT", "/v1/kv/b", b"2") == (200, "true")
    assert agents.served == ["c1>s1 PUT /v1/kv/b"]
    assert await agents["s3"].text("GET", "/v1/kv/b?raw") == (200, "2")


async def test_a_follower_passes_writes_to_the_leader_and_reads_itself() -> None:
    agents = JoinedAgents()
    assert await agents["s2"].text("PUT", "/v1/kv/a", b"1") == (200, "true")
    assert await agents["s2"].text("GET", "/v1/kv/a?raw") == (200, "1")
    assert agents.served == ["s2>s1 PUT /v1/kv/a"]


async def test_a_server_does_not_pass_on_what_a_server_has_sent() -> None:
    agents = JoinedAgents(performance=SHORT)
    agents["s2"].requests._leader = lambda: "s3"  # it is mistaken
    assert await agents["s2"].text("PUT", "/v1/kv/a", b"1") == (500, "No cluster leader")
    assert set(agents.served) == {"s2>s3 PUT /v1/kv/a"}


async def test_headers_are_those_of_the_agent_that_the_client_talks_to() -> None:
    agents = JoinedAgents(http_config=HTTPConfig(response_headers={"X-Room": "here"}))
    await agents["c1"].text("PUT", "/v1/kv/a", b"1")
    response = await agents["c1"].request("GET", "/v1/kv/a?raw")
    names = [name for name, _ in response.headers]
    assert sorted(names) == sorted(set(names))
    for name, value in (
        (b"X-Room", b"here"),
        (b"Vary", b"Accept-Encoding"),
        (b"X-Consul-Default-Acl-Policy", b"allow"),
        (b"Content-Length", b"1"),
        (b"X-Consul-KnownLeader", b"true"),
        (b"x-pyconsul-leader", None),
    ):
        assert header(response, name) == value


@pytest.mark.parametrize("agent", ["s1", "s2", "c1"])
async def test_pretty_json_is_indented_once(agent: str) -> None:
    agents = JoinedAgents()
    assert await agents[agent].text("GET", "/v1/catalog/nodes?pretty") == (200, "[]\n")


@pytest.mark.parametrize("agent", ["s1", "s2", "c1"])
async def test_a_session_without_a_node_is_of_the_agent_that_the_client_talks_to(agent: str) -> None:
    agents = JoinedAgents()
    await agents["s1"].text("PUT", "/v1/catalog/register", b'{"Node": "%s", "Address": "10.0.0.9"}' % agent.encode())
    status, text = await agents[agent].text("PUT", "/v1/session/create", b'{"NodeChecks": []}')
    assert status == 200, text
    assert [session["Node"] for session in await agents["s1"].json("/v1/session/list")] == [agent]


async def test_mistakes_are_answered_by_the_agent_itself() -> None:
    agents = JoinedAgents()
    for method, target, status in (
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/kv/a", 405),
        ("GET", "/v1/kv/a?stale&consistent", 400),
        ("GET", "/v1/kv/a?index=x", 400),
        ("PUT", "/v1/kv/a?ns=x", 400),
    ):
        assert (await agents["c1"].text(method, target))[0] == status
    assert not agents.served


async def test_without_servers_mistakes_come_first_and_the_rest_fails_at_once() -> None:
    agents = JoinedAgents([])
    for method, target, expected in (
        ("GET", "/v1/kv/a", (500, "No known Consul servers")),
        ("GET", "/v1/status/leader", (500, "No known Consul servers")),
        ("GET", "/v1/catalog/datacenters", (500, "No known Consul servers")),
        ("PUT", "/v1/kv/a", (500, "No known Consul servers")),
        ("PUT", "/v1/session/create", (500, "No known Consul servers")),
        ("PUT", "/v1/event/fire/x", (500, "No known Consul servers")),
        ("GET", "/v1/snapshot", (500, "No known Consul servers")),
        ("GET", "/v1/acl/tokens", (401, "ACL support disabled")),
        ("GET", "/v1/health/service/web?cached", (503, "resolver error: resolver produced no addresses")),
        ("GET", "/v1/health/service/", (400, "Missing service name")),
    ):
        assert await agents["c1"].text(method, target) == expected
    response = await agents["c1"].request("GET", "/v1/catalog/nodes")
    assert header(response, b"X-Consul-KnownLeader") == b"false"


async def test_a_read_goes_to_another_server_when_one_is_lost() -> None:
    agents = JoinedAgents()
    first = agents["c1"].requests.choice.next()
    agents.refusals[first] = [Lost("connection reset")]
    assert (await agents["c1"].text("GET", "/v1/kv/a?raw"))[0] == 404
    assert len(agents.served) == 2
    assert agents["c1"].requests.choice.next() != first


async def test_a_write_that_may_have_arrived_is_not_sent_again() -> None:
    agents = JoinedAgents()
    agents.refusals = {name: [Lost("connection reset")] for name in ("s1", "s2", "s3")}
    status, text = await agents["c1"].text("PUT", "/v1/kv/a", b"1")
    assert (status, text) == (500, "rpc error making call: connection reset")
    assert len(agents.served) == 1


async def test_a_write_that_has_not_arrived_is_sent_to_another_server() -> None:
    agents = JoinedAgents()
    agents.refusals = {name: [NotSent("stopping")] for name in ("s1", "s2", "s3")}
    assert await agents["c1"].text("PUT", "/v1/kv/a", b"1") == (200, "true")


async def test_the_last_reason_is_told_when_no_server_can_be_reached_in_time() -> None:
    agents = JoinedAgents(performance=SHORT)
    agents.gone = {"s1", "s2", "s3"}
    status, text = await agents["c1"].text("GET", "/v1/kv/a")
    assert status == 500
    assert text.startswith("rpc error getting client: cannot reach s")


async def test_servers_that_gossip_takes_for_failed_are_not_waited_for() -> None:
    agents = JoinedAgents()
    agents.failed = {"s1", "s2", "s3"}
    assert await agents["c1"].text("GET", "/v1/kv/a") == (500, "No known Consul servers")


async def test_too_many_requests_are_not_tried_elsewhere() -> None:
    agents = JoinedAgents()
    first = agents["c1"].requests.choice.next()
    agents.refusals[first] = [RateExceeded("RPC rate limit exceeded")]
    assert await agents["c1"].text("GET", "/v1/kv/a") == (429, "RPC rate limit exceeded")


async def test_without_a_leader_writes_and_default_reads_end_with_consuls_text() -> None:
    agents = JoinedAgents(performance=SHORT)
    agents.leader = ""
    for agent in ("s2", "c1"):
        for method, target in (("PUT", "/v1/kv/a"), ("GET", "/v1/kv/a"), ("GET", "/v1/catalog/services")):
            assert await agents[agent].text(method, target) == (500, "No cluster leader")
    response = await agents["c1"].request("GET", "/v1/catalog/services")
    assert header(response, b"X-Consul-KnownLeader") == b"false"
    assert await agents["c1"].text("GET", "/v1/catalog/services?stale") == (200, "{}")
    assert await agents["c1"].text("GET", "/v1/status/peers") != (500, "No cluster leader")
    assert await agents["s2"].text("GET", "/v1/snapshot") == (500, "No cluster leader")


async def test_clients_with_the_same_blocking_query_share_one() -> None:
    agents = JoinedAgents()
    await agents["s1"].text("PUT", "/v1/kv/a", b"1")
    index = header(await agents["c1"].request("GET", "/v1/kv/a"), b"X-Consul-Index") or b""
    agents.served.clear()
    target = f"/v1/kv/a?raw&index={index.decode()}"
    tasks = [
        asyncio.ensure_future(agents["c1"].request("GET", target + wait)) for wait in ("", "&wait=50s", "&wait=60s")
    ]
    await turns()
    assert len(agents.served) == 1
    await agents["s1"].text("PUT", "/v1/kv/a", b"2")
    assert [(await task).body for task in tasks] == [b"2"] * 3


async def test_cached_reads_of_a_client_agent_say_where_they_come_from() -> None:
    agents = JoinedAgents()
    for expected in ((b"MISS", None), (b"HIT", b"0")):
        response = await agents["c1"].request("GET", "/v1/health/service/web?cached")
        assert (header(response, b"X-Cache"), header(response, b"Age")) == expected
        assert header(response, b"X-Consul-KnownLeader") == b"false"
        assert header(response, b"X-Consul-Effective-Consistency") == b"leader"
    response = await agents["c1"].request("GET", "/v1/catalog/datacenters?cached")
    assert header(response, b"X-Cache") == b"MISS"
    agents["c1"].app.close()


async def test_without_use_cache_cached_is_a_read_like_any_other() -> None:
    agents = JoinedAgents(http_config=HTTPConfig(use_cache=False))
    for agent in ("s1", "c1"):
        for _ in range(2):
            response = await agents[agent].request("GET", "/v1/health/service/web?cached")
            assert header(response, b"X-Cache") is None


async def test_discovery_max_stale_of_the_agent_makes_its_catalog_reads_stale() -> None:
    agents = JoinedAgents(discovery_max_stale=10.0)
    for agent in ("s2", "c1"):
        for target, level in (
            ("/v1/catalog/nodes", b"stale"),
            ("/v1/health/service/web", b"stale"),
            ("/v1/health/service/web?consistent", b"consistent"),
            ("/v1/health/service/web?leader", b"leader"),
        ):
            response = await agents[agent].request("GET", target)
            assert header(response, b"X-Consul-Effective-Consistency") == level, (agent, target)


async def test_the_agents_default_token_is_used_when_the_client_gives_none() -> None:
    agents = JoinedAgents()
    agents["c1"].context.tokens.set("default", "secret")
    await agents["c1"].text("GET", "/v1/kv/a")
    await agents["c1"].request("GET", "/v1/kv/a", token="own")
    assert agents.tokens == ["secret", "own"]


async def test_near_agent_means_the_agent_that_the_client_talks_to() -> None:
    agents = JoinedAgents()
    await agents["c1"].text("GET", "/v1/catalog/nodes?near=_agent&stale")
    assert agents.served[0].endswith("/v1/catalog/nodes?near=c1&stale")


async def test_a_follower_may_become_the_leader_while_a_write_waits() -> None:
    agents = JoinedAgents()
    agents.leader = ""
    write = asyncio.ensure_future(agents["s2"].text("PUT", "/v1/kv/a", b"1"))
    await turns()
    agents.leader = "s2"
    assert await write == (200, "true")


async def test_a_stream_of_watches_is_passed_on() -> None:
    agents = JoinedAgents()
    await agents["s1"].text("PUT", "/v1/kv/a", b"1")
    body = b'{"Queries": [{"ID": 1, "Path": "/v1/kv/a"}]}'
    response = await agents["c1"].request("POST", "/v1/pyconsul/watch", body)
    assert response.stream is not None
    assert b'"Status":200' in await anext(response.stream)


async def test_queries_that_the_agent_blocks_are_not_passed_on() -> None:
    agents = JoinedAgents(http_config=HTTPConfig(block_endpoints=("/v1/catalog/",)))
    await agents["s1"].text("PUT", "/v1/kv/a", b"1")
    blocked = b'{"ID":2,"Index":0,"Status":403,"Text":"Endpoint is blocked by agent configuration"}\n'
    both = b'{"Queries": [{"ID": 1, "Path": "/v1/kv/a"}, {"ID": 2, "Path": "/v1/catalog/nodes"}]}'
    response = await agents["c1"].request("POST", "/v1/pyconsul/watch", both)
    assert response.stream is not None
    assert await anext(response.stream) == blocked
    assert (await anext(response.stream)).startswith(b'{"ID":1,"Index":')
    agents.served.clear()
    alone = b'{"Queries": [{"ID": 2, "Path": "/v1/catalog/nodes"}]}'
    response = await agents["c1"].request("POST", "/v1/pyconsul/watch", alone)
    assert response.stream is not None
    assert [part async for part in response.stream] == [blocked + b"{}\n"]
    assert agents.served == []
    malformed = ("POST", "/v1/pyconsul/watch", b"{")
    assert await agents["c1"].text(*malformed) == await agents["s1"].text(*malformed)


async def test_a_client_that_goes_away_ends_its_request_at_the_server() -> None:
    agents = JoinedAgents()
    for server in ("s1", "s2", "s3"):
        agents[server].standing.held = True
    asked = asyncio.ensure_future(agents["c1"].request("GET", "/v1/kv/a"))
    await turns()
    asked.cancel()
    await turns()
    for server in ("s1", "s2", "s3"):
        for barrier in agents[server].standing.barriers:
            barrier.set_result(None)
    await turns()
    assert len(agents.served) == 1


async def test_the_requests_of_a_client_agent_are_counted() -> None:
    agents = JoinedAgents()
    client = agents["c1"]
    agents.refusals = {name: [NotSent("closed")] for name in ("s1", "s2", "s3")}
    await client.text("PUT", "/v1/kv/a", b"1")
    sent = [one for one in agents.served if one.startswith("c1>")]
    assert client.requests.counts == {"client.rpc": len(sent), "client.rpc.failed": 3}
    agents.refusals = {name: [RateExceeded("RPC rate limit exceeded")] for name in ("s1", "s2", "s3")}
    assert (await client.text("PUT", "/v1/kv/a", b"1"))[0] == 429
    assert client.requests.counts["client.rpc.exceeded"] == 1
