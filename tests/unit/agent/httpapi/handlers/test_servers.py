"""/v1/status, /v1/operator/raft and /v1/operator/autopilot on a server of a cluster, and on the only server."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.http_api import Api
from support.scripted_cluster import ScriptedCluster, cluster_server, three
from support.scripted_pool import FAILED, ScriptedPool, client, server

from pyconsul.agent.model.node import Node
from pyconsul.agent.state.catalog import nodes

RAFT = "/v1/operator/raft/"
NOBODY = 'id "nobody" was not found in the Raft configuration'


def api(cluster: ScriptedCluster | None = None, **settings: Any) -> Api:
    return Api(cluster=cluster or ScriptedCluster(), node_id="id-s1", **settings)


async def test_the_leader_and_the_peers() -> None:
    one = api()
    assert await one.json("/v1/status/leader") == "10.0.0.1:8300"
    assert await one.json("/v1/status/peers") == ["10.0.0.1:8300", "10.0.0.2:8300", "10.0.0.3:8300"]


@pytest.mark.parametrize(("expect", "peers"), [(0, 3), (2, 3), (3, 2)])
async def test_a_founder_without_a_vote_is_no_peer_yet(expect: int, peers: int) -> None:
    cluster = ScriptedCluster(cluster_server("s1"), cluster_server("s2"), cluster_server("s3", is_voter=False))
    one = Api(cluster=cluster, bootstrap_expect=expect)
    assert len(await one.json("/v1/status/peers")) == peers


async def test_without_a_quorum_the_peers_are_known_and_no_leader() -> None:
    one = api()
    one.cluster.quorum = False
    assert await one.json("/v1/status/leader") == ""
    assert len(await one.json("/v1/status/peers")) == 3
    for path in (RAFT + "configuration", "/v1/operator/autopilot/health", "/v1/operator/autopilot/state"):
        assert await one.text("GET", path) == (500, "No cluster leader")
    found = await one.json(RAFT + "configuration?stale")
    assert [one["Node"] for one in found["Servers"]] == ["s1", "s2", "s3"]


async def test_the_configuration_of_raft() -> None:
    cluster = ScriptedCluster(cluster_server("s2", is_voter=False, last_index=90), cluster_server("s1", is_leader=True))
    found = await api(cluster).json(RAFT + "configuration")
    assert [(one["ID"], one["Leader"], one["Voter"], one["LastIndex"]) for one in found["Servers"]] == [
        ("id-s1", True, True, 100),
        ("id-s2", False, False, 90),
    ]


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("id=id-s3", 200, ""),
        ("address=10.0.0.2:8300", 200, ""),
        ("id=nobody", 500, NOBODY),
        ("address=10.0.0.9:1", 500, 'address "10.0.0.9:1" was not found in the Raft configuration'),
        ("id=a&address=b", 400, "Must specify only one of ?id or ?address"),
        ("", 400, "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove"),
    ],
)
async def test_a_peer_is_removed(query: str, status: int, text: str) -> None:
    one = api()
    assert await one.text("DELETE", f"{RAFT}peer?{query}") == (status, text)
    assert len(one.cluster.removed) == (1 if status == 200 else 0)


async def test_a_peer_that_is_gone_meanwhile() -> None:
    one = api()
    one.cluster.is_late = True
    expected = 'id "id-s3" was not found in the Raft configuration'
    assert await one.text("DELETE", f"{RAFT}peer?id=id-s3") == (500, expected)


async def test_the_leadership_is_transferred() -> None:
    one = api(ScriptedCluster(*three(), cluster_server("s4", is_voter=False)))
    assert await one.text("POST", RAFT + "transfer-leader?id=id-s2") == (200, '{"Success":true}')
    assert await one.text("POST", RAFT + "transfer-leader") == (200, '{"Success":true}')
    assert one.cluster.transferred == ["id-s2", ""]
    expected = "Could not find address for server id nobody"
    assert await one.text("POST", RAFT + "transfer-leader?id=nobody") == (500, expected)
    expected = "cannot find peer: the server id-s4 has no vote yet"
    assert await one.text("POST", RAFT + "transfer-leader?id=id-s4") == (500, expected)


async def test_the_health_of_healthy_servers() -> None:
    found = await api(ScriptedCluster(*(replace(one, last_contact_ms=12, build="1.21.4") for one in three()))).json(
        "/v1/operator/autopilot/health"
    )
    assert (found["Healthy"], found["FailureTolerance"]) == (True, 1)
    assert found["Servers"][1] == {
        "ID": "id-s2", "Name": "s2", "Address": "10.0.0.2:8300", "SerfStatus": "alive", "Version": "1.21.4", "Leader": False,
        "LastContact": "12ms", "LastTerm": 0, "LastIndex": 100, "Healthy": True, "Voter": True,
        "StableSince": "1970-01-01T00:00:00Z",
    }  # fmt: skip


async def test_an_unhealthy_server_makes_the_status_429() -> None:
    ill = cluster_server("s3", is_healthy=False, serf_status="failed", last_contact_ms=-1)
    response = await api(ScriptedCluster(*three()[:2], ill)).request("GET", "/v1/operator/autopilot/health")
    assert (response.status, dict(response.headers)[b"Content-Type"]) == (429, b"text/plain; charset=utf-8")
    assert b'"Healthy":false,"FailureTolerance":0' in response.body


async def test_the_state_of_the_servers() -> None:
    one = api(ScriptedCluster(*three()[:2], cluster_server("s3", is_voter=False)))
    node = Node("id-s2", "s2", "10.0.0.2", "dc1", None, {"rack": "b"}, 0, 0)
    await one.writer.commit(lambda txn: nodes.ensure_node(txn, node))
    found = await one.json("/v1/operator/autopilot/state")
    assert (found["Leader"], found["Voters"]) == ("id-s1", ["id-s1", "id-s2"])
    statuses = {name: (one["Status"], one["NodeStatus"], one["Meta"]) for name, one in found["Servers"].items()}
    assert statuses == {
        "id-s1": ("leader", "alive", {}),
        "id-s2": ("voter", "alive", {"rack": "b"}),
        "id-s3": ("non-voter", "alive", {}),
    }
    assert "Proposals" not in found
    one.cluster.kept = ("s3 failed and is kept",)
    assert (await one.json("/v1/operator/autopilot/state"))["Proposals"] == ["s3 failed and is kept"]


async def test_the_only_server() -> None:
    one = Api(node_id="id-s1")
    assert await one.json("/v1/status/leader") == "10.0.0.1:8300"
    [found] = (await one.json(RAFT + "configuration"))["Servers"]
    assert (found["ID"], found["Leader"], found["Voter"]) == ("id-s1", True, True)
    assert await one.text("DELETE", f"{RAFT}peer?id=nobody") == (500, NOBODY)
    assert await one.text("DELETE", f"{RAFT}peer?id=id-s1") == (500, "this is the only server: it cannot be removed")
    assert await one.text("POST", RAFT + "transfer-leader") == (500, "cannot find peer: this is the only server")
    assert (await one.json("/v1/operator/autopilot/health"))["FailureTolerance"] == 0


async def test_the_numbers_about_a_server_of_a_cluster() -> None:
    pool = ScriptedPool(server("s1"), server("s2", status=FAILED), server("s3"), client("c1"))
    stats = (await Api(pool, cluster=ScriptedCluster(), node_id="id-s1").json("/v1/agent/self"))["Stats"]
    assert (stats["consul"]["leader"], stats["consul"]["leader_addr"]) == ("true", "10.0.0.1:8300")
    assert (stats["raft"]["state"], stats["raft"]["num_peers"]) == ("Leader", "2")
    assert stats["raft"]["latest_configuration"].startswith("[{Suffrage:Voter ID:id-s1 Address:10.0.0.1:8300} {")
    assert (stats["serf_wan"]["members"], stats["serf_wan"]["failed"]) == ("3", "1")


async def test_the_numbers_about_a_client_agent() -> None:
    pool = ScriptedPool(client("c1"), server("s1"), server("s2", status=FAILED))
    stats = (await Api(pool, server=False).json("/v1/agent/self"))["Stats"]
    assert stats["consul"] == {"acl": "disabled", "known_servers": "1", "server": "false"}
    assert not {"raft", "serf_wan"} & stats.keys()


async def test_the_servers_are_the_members_of_the_wan_pool() -> None:
    one = Api(ScriptedPool(server("s1"), server("s2", address="10.0.0.2"), client("c1")))
    found = await one.json("/v1/agent/members?wan=1")
    assert [(one["Name"], one["Addr"], one["Port"]) for one in found] == [
        ("s1.dc1", "10.0.0.1", 8302),
        ("s2.dc1", "10.0.0.2", 8302),
    ]
    assert not any("wan_join_port" in one["Tags"] for one in found)
