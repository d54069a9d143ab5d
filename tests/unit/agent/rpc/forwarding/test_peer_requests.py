"""The requests that a server serves for other agents."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.joined_agents import JoinedAgents
from support.remote_servers import Access
from support.scripted_reads import turns

from pyconsul.agent.config.sections.http import HTTPConfig, Limits
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.rpc.contract import NotSent, Peer

CLIENT, SERVER = Peer("c1", "c1", "dc1", False), Peer("s2", "s2", "dc1", True)


async def serve(
    agents: JoinedAgents, peer: Peer, method: str, target: str, body: bytes = b"", *, at: str = "s1", **headers: str
) -> Response:
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    request = Request(method, target.encode(), sent, body, "10.0.0.7")
    request.origin = peer.name
    served: Any = agents[at].peer_requests.serve(request, peer)
    response = served if isinstance(served, Response) else await served
    assert isinstance(response, Response)
    return response


async def test_the_agent_that_a_server_names_is_believed_and_that_of_a_client_agent_is_not() -> None:
    agents = JoinedAgents()
    for node in ("c1", "c9"):
        await agents["s1"].text("PUT", "/v1/catalog/register", b'{"Node": "%s", "Address": "10.0.0.9"}' % node.encode())
    for peer in (CLIENT, SERVER):
        response = await serve(agents, peer, "PUT", "/v1/session/create", b'{"NodeChecks": []}', x_pyconsul_origin="c9")
        assert response.status == 200, response.body
    nodes = sorted(session["Node"] for session in await agents["s1"].json("/v1/session/list"))
    assert nodes == ["c1", "c9"]


async def test_a_write_for_a_server_that_does_not_lead_is_refused_to_a_server() -> None:
    agents = JoinedAgents()
    with pytest.raises(NotSent, match="not the leader"):
        await serve(agents, Peer("s3", "s3", "dc1", True), "PUT", "/v1/kv/a", b"1", at="s2")


async def test_a_read_without_a_leader_is_handed_back_so_that_another_server_is_asked() -> None:
    agents = JoinedAgents()
    agents.leader = ""
    with pytest.raises(NotSent, match="No cluster leader"):
        await serve(agents, CLIENT, "GET", "/v1/kv/a")
    assert (await serve(agents, CLIENT, "GET", "/v1/kv/a?stale")).status == 404


async def test_bodies_are_limited_by_the_settings_of_the_server() -> None:
    agents = JoinedAgents(limits=Limits(kv_max_value_size=20_000))
    assert (await serve(agents, CLIENT, "PUT", "/v1/kv/a", bytes(20_000))).body == b"true"
    assert (await serve(agents, CLIENT, "PUT", "/v1/kv/a", bytes(20_001))).status == 413


async def test_rules_for_http_clients_of_the_server_do_not_bind_other_agents() -> None:
    http = HTTPConfig(block_endpoints=("/v1/kv",), allow_write_http_from=("192.0.2.0/24",))
    agents = JoinedAgents(http_config=http)
    assert (await serve(agents, CLIENT, "PUT", "/v1/kv/a", b"1")).body == b"true"
    assert (await agents["s1"].text("GET", "/v1/kv/a"))[0] == 403


async def test_the_response_to_a_write_names_the_leader() -> None:
    agents = JoinedAgents()
    for at in ("s1", "s2"):
        response = await serve(agents, CLIENT, "PUT", "/v1/kv/a", b"1", at=at)
        assert (b"x-pyconsul-leader", b"s1") in response.headers


async def test_a_blocking_query_waits_for_a_current_state_first_and_then_for_news() -> None:
    agents = JoinedAgents()
    await agents["s1"].text("PUT", "/v1/kv/a", b"1")
    index = agents["s1"].store.index
    request = Request("GET", f"/v1/kv/a?raw&index={index}".encode(), {})
    request.origin = "c1"
    agents["s2"].standing.held = True
    served: Any = agents["s2"].peer_requests.serve(request, CLIENT)
    await turns()
    (barrier,) = agents["s2"].standing.barriers
    assert not served.future.done()
    barrier.set_result(None)
    await turns()
    assert not served.future.done()
    agents.leader = ""  # the leader changes
    await turns()
    agents.leader = "s3"
    await agents["s3"].text("PUT", "/v1/kv/a", b"2")
    assert (await served).body == b"2"


async def test_a_blocking_query_whose_time_is_over_is_answered_from_a_current_state() -> None:
    agents = JoinedAgents()
    await agents["s1"].text("PUT", "/v1/kv/a", b"1")
    target, standing = f"/v1/kv/a?raw&index={agents['s1'].store.index}&wait=1ms", agents["s2"].standing
    standing.held = True
    asked = asyncio.ensure_future(agents["s2"].request("GET", target))
    await turns()
    standing.barriers[0].set_result(None)
    while len(standing.barriers) < 2:
        await turns()
    assert not asked.done()
    standing.barriers[1].set_result(None)
    assert (await asked).body == b"1"


async def test_a_token_that_another_server_may_know_is_looked_for_in_a_current_state() -> None:
    access = Access()
    agents = JoinedAgents(acl=access.resolver)
    standing = agents["s2"].standing
    standing.held = True
    asked = asyncio.ensure_future(agents["s2"].request("GET", "/v1/agent/services", token="new"))
    await turns()
    access.token("new", 'service_prefix "" { policy = "read" }')
    standing.barriers[0].set_result(None)
    assert (await asked).status == 200
    asked = asyncio.ensure_future(agents["s2"].request("GET", "/v1/agent/services", token="unknown"))
    await turns()
    standing.barriers[1].set_result(None)
    assert (await asked).status == 403
