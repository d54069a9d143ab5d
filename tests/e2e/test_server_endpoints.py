"""The endpoints beside the catalog on a running agent: queries over HTTP and DNS, distances, and what there is no mesh for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import pytest
from support.agent_process import AgentProcess, running_agent

POINT = {"Error": 1.5, "Adjustment": 0.0, "Height": 1e-5}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as process:
        for number, (node, place) in enumerate((("far", 0.5), ("near", 0.1), ("middle", 0.3), ("nowhere", None))):
            service = {"ID": "geo", "Service": "geo", "Port": 80 + number}
            process.put("/v1/catalog/register", {"Node": node, "Address": f"10.1.0.{number}", "Service": service})
            process.put(
                "/v1/catalog/register",
                {"Node": node, "Address": f"10.1.0.{number}", "Check": {"Name": "c", "Status": "passing"}},
            )
            if place is not None:
                process.put("/v1/coordinate/update", {"Node": node, "Coord": {"Vec": [place] + [0.0] * 7, **POINT}})
        process.put("/v1/coordinate/update", {"Node": "n1", "Coord": {"Vec": [0.0] * 8, **POINT}})
        yield process


def post(agent: AgentProcess, path: str, body: Any) -> Any:
    status, _, answer = agent.request("POST", path, body)
    assert status == 200, answer
    return json.loads(answer)


def ask(agent: AgentProcess, name: str) -> list[str]:
    answer = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=agent.dns_port, timeout=10)
    return [record.to_text() for rrset in answer.answer for record in rrset if record.rdtype == dns.rdatatype.A]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/catalog/service/geo?near=_agent", ["near", "middle", "far", "nowhere"]),
        ("/v1/catalog/service/geo?near=far", ["far", "middle", "near", "nowhere"]),
        ("/v1/catalog/service/geo?near=nowhere", ["far", "middle", "near", "nowhere"]),
        ("/v1/catalog/service/geo?near=nobody", ["far", "middle", "near", "nowhere"]),
        ("/v1/catalog/nodes?near=n1", ["n1", "near", "middle", "far", "nowhere"]),
        ("/v1/health/service/geo?near=n1&passing", ["near", "middle", "far", "nowhere"]),
        ("/v1/health/service/geo?near=n1&filter=Node.Node!=middle", ["near", "far", "nowhere"]),
        ("/v1/health/state/passing?near=n1", ["n1", "near", "middle", "far", "nowhere"]),
    ],
)
@pytest.mark.single_server("compares all nodes")
def test_near(agent: AgentProcess, path: str, names: list[str]) -> None:
    assert [
        row["Node"]["Node"] if "Service" in row and "Checks" in row else row["Node"] for row in agent.get(path)
    ] == names


def test_an_answer_by_distance_follows_the_coordinates(agent: AgentProcess) -> None:
    path = "/v1/catalog/service/geo?near=far"
    assert [row["Node"] for row in agent.get(path)][:2] == ["far", "middle"]
    agent.put("/v1/coordinate/update", {"Node": "near", "Coord": {"Vec": [0.45] + [0.0] * 7, **POINT}})
    try:
        assert [row["Node"] for row in agent.get(path)][:2] == ["far", "near"]
    finally:
        agent.put("/v1/coordinate/update", {"Node": "near", "Coord": {"Vec": [0.1] + [0.0] * 7, **POINT}})


def test_a_query_near_the_agent_over_http_and_dns(agent: AgentProcess) -> None:
    post(agent, "/v1/query", {"Name": "closest", "Service": {"Service": "geo", "Near": "_agent"}})
    for _ in range(3):
        found = agent.get("/v1/query/closest/execute")
        assert [one["Node"]["Node"] for one in found["Nodes"]] == ["near", "middle", "far", "nowhere"]
        assert ask(agent, "closest.query.consul")[0] == "10.1.0.1"
    found = agent.get("/v1/query/closest/execute?near=far&limit=2")
    assert [one["Node"]["Node"] for one in found["Nodes"]] == ["far", "middle"]


def test_dns_follows_a_query_that_changes(agent: AgentProcess) -> None:
    query_id = post(agent, "/v1/query", {"Name": "moving", "Service": {"Service": "geo", "NodeMeta": {"no": "such"}}})[
        "ID"
    ]
    for _ in range(3):
        assert ask(agent, "moving.query.consul") == []
    agent.put(f"/v1/query/{query_id}", {"Name": "moving", "Service": {"Service": "geo"}})
    for _ in range(3):
        assert len(ask(agent, "moving.query.consul")) > 1
    assert agent.request("DELETE", f"/v1/query/{query_id}")[0] == 200
    assert ask(agent, "moving.query.consul") == []


def test_a_query_ends_with_its_session(agent: AgentProcess) -> None:
    session = agent.put("/v1/session/create", {})["ID"]
    query_id = post(agent, "/v1/query", {"Session": session, "Service": {"Service": "geo"}})["ID"]
    assert agent.get(f"/v1/query/{query_id}")[0]["Session"] == session
    agent.put(f"/v1/session/destroy/{session}")
    assert agent.request("GET", f"/v1/query/{query_id}")[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/catalog/connect/web", 200),
        ("GET", "/v1/health/connect/web", 200),
        ("GET", "/v1/health/ingress/web", 200),
        ("GET", "/v1/catalog/gateway-services/gw", 200),
        ("GET", "/v1/config/service-defaults", 200),
        ("GET", "/v1/config/service-defaults/web", 404),
        ("GET", "/v1/config/nonsense", 500),
        ("PUT", "/v1/config", 400),
        ("GET", "/v1/discovery-chain/web", 200),
        ("GET", "/v1/connect/intentions", 200),
        ("GET", "/v1/connect/intentions/match?by=source&name=web", 200),
        ("GET", "/v1/connect/intentions/check?source=a&destination=b", 200),
        ("GET", "/v1/connect/intentions/exact?source=a&destination=b", 404),
        ("GET", "/v1/connect/ca/roots", 200),
        ("GET", "/v1/exported-services", 200),
        ("GET", "/v1/peerings", 200),
        ("GET", "/v1/peering/x", 404),
        ("GET", "/v1/internal/ui/nodes", 200),
        ("GET", "/v1/internal/ui/node/far", 200),
        ("GET", "/v1/internal/ui/node/nobody", 404),
        ("GET", "/v1/internal/ui/services", 200),
        ("GET", "/v1/internal/ui/catalog-overview", 200),
        ("GET", "/v1/operator/autopilot/state", 200),
        ("POST", "/v1/operator/raft/transfer-leader", 500),
        ("OPTIONS", "/v1/query/x/execute", 200),
    ],
)
def test_requests_of_client_libraries_succeed(agent: AgentProcess, method: str, path: str, status: int) -> None:
    found, _, body = agent.request(method, path)
    assert found == status, body
    assert b"internal error" not in body
    if status == 200 and method == "GET":
        json.loads(body)


@pytest.mark.single_server("counts the nodes")
def test_the_overview_counts_states(agent: AgentProcess) -> None:
    summary = {row["Name"]: row for row in agent.get("/v1/internal/ui/services")}["geo"]
    assert (summary["InstanceCount"], summary["ChecksPassing"], summary["ChecksCritical"]) == (4, 4, 0)
    assert summary["Nodes"] == ["far", "middle", "near", "nowhere"]
    overview = agent.get("/v1/internal/ui/catalog-overview")
    assert overview["Nodes"] == [{"Total": 5, "Passing": 5, "Warning": 0, "Critical": 0}]
