"""Nodes and sessions without scripts: what stands on the pages, and what their actions do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.page_client import PageClient

HOSTILE = ("<script>alert(1)</script>", "a/b %2F\"'", "\u202ertl\u202c", "x" * 60, "😀")
COORDINATE = {"Vec": [0.01, 0, 0, 0, 0, 0, 0, 0], "Error": 0.5, "Adjustment": 0, "Height": 0.0001}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        running.put("/v1/agent/service/register", {"Name": "web", "Check": {"TTL": "10m", "Status": "passing"}})
        for number, name in enumerate(HOSTILE):
            check = {"CheckID": "c", "Name": name, "Status": "critical", "Output": f"{name} is broken"}
            node = {"Node": name, "Address": f"10.0.0.{number}", "NodeMeta": {name: name}, "Check": check}
            running.put("/v1/catalog/register", node)
        yield running


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def session(agent: AgentProcess, **fields: str) -> str:
    created: dict[str, str] = agent.put("/v1/session/create", fields)
    return created["ID"]


@pytest.mark.single_server("lists all nodes")
def test_nodes_stand_with_the_worst_and_its_reason_first(client: PageClient) -> None:
    page = client.show("nodes")
    assert page.status == 200
    assert "is broken" in page
    assert page.text.index("x" * 60) < page.text.index("n1 leader")
    assert [link for link in page.links if link.endswith("/nodes/n1")]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"filter": "n1"}, ["n1"]),
        ({"status": "passing"}, ["n1"]),
        ({"filter": 'Node == "n1"'}, ["n1"]),
        ({"filter": "alert"}, ["<script>alert(1)</script>"]),
        ({"filter": "nowhere"}, []),
    ],
)
@pytest.mark.single_server("lists all nodes")
def test_nodes_are_filtered(client: PageClient, params: dict[str, str], expected: list[str]) -> None:
    page = client.show("nodes", **params)
    assert all(name in page for name in expected)
    assert page.html.count("data-row=") == len(expected)


def test_a_wrong_expression_is_explained_and_hides_nothing(client: PageClient) -> None:
    page = client.show("nodes", filter="Node ==")
    assert page.status == 200
    assert "data-row=" in page.html
    assert 'role="alert"' in page.html


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("tab", ["health-checks", "service-instances", "lock-sessions", "metadata", "rtt"])
def test_names_are_shown_as_text(client: PageClient, name: str, tab: str) -> None:
    page = client.show("nodes", name, tab)
    assert page.status == 200
    assert " ".join(name.split()) in page
    assert page.elements.count("script") == 1


def test_a_node_shows_its_parts(agent: AgentProcess, client: PageClient) -> None:
    held = session(agent, Name="job")
    agent.request("PUT", f"/v1/kv/locks/a?acquire={held}", b"x")
    assert "Agent alive and reachable" in client.show("nodes", "n1")
    assert "web" in client.show("nodes", "n1", "service-instances")
    sessions = client.show("nodes", "n1", "lock-sessions")
    assert "job" in sessions
    assert "/ui/dc1/kv/locks/a/edit" in sessions.links
    assert "consul-version" in client.show("nodes", "n1", "metadata")
    page = client.ask_and_act("nodes", "n1", "lock-sessions", do="invalidate", on=held)
    assert "Invalidated 1 session." in page
    assert agent.get(f"/v1/session/info/{held}") == []


def test_round_trips_are_plotted(agent: AgentProcess, client: PageClient) -> None:
    for node, scale in (("n1", 0.0), ("😀", 1.0), ("x" * 60, 5.0)):
        vector = [scale * part for part in COORDINATE["Vec"]]
        agent.put("/v1/coordinate/update", {"Node": node, "Segment": "", "Coord": {**COORDINATE, "Vec": vector}})
    eventually(lambda: "50.2 ms" in client.show("nodes", "n1", "rtt"), "no round trips")
    page = client.show("nodes", "n1", "rtt")
    assert page.text.index("10.2 ms") < page.text.index("50.2 ms")
    assert page.elements.count("circle") >= 3


def test_maintenance_of_a_node_begins_and_ends(agent: AgentProcess, client: PageClient) -> None:
    page = client.ask_and_act("nodes", "n1", do="maintenance", reason="new disk <b>")
    assert "n1 is in maintenance." in page
    checks = {check["CheckID"]: check for check in agent.get("/v1/health/node/n1")}
    assert checks["_node_maintenance"]["Notes"] == "new disk <b>"
    assert "End maintenance" in client.show("nodes", "n1")
    assert "n1 is back." in client.ask_and_act("nodes", "n1", do="maintenance-end")
    assert all(check["CheckID"] != "_node_maintenance" for check in agent.get("/v1/health/node/n1"))


def test_a_node_without_an_agent_has_no_maintenance(client: PageClient) -> None:
    page = client.show("nodes", HOSTILE[0])
    assert "it stands in the catalog only" in page
    question = client.show("nodes", HOSTILE[0], do="maintenance")
    assert any(one.get("type") == "submit" and "disabled" in one for one in question.inputs)


def test_deregistration_says_what_returns(agent: AgentProcess, client: PageClient) -> None:
    agent.put("/v1/catalog/register", {"Node": "gone/<b>", "Address": "10.1.1.1", "Service": {"Service": "db"}})
    question = client.show("nodes", "gone/<b>", do="deregister")
    assert "1 service instance" in question
    assert "nothing brings a node back" in question
    page = client.act(question, "deregister")
    assert "gone/<b> is deregistered." in page
    assert page.address == "/ui/dc1/nodes"
    assert all(node["Node"] != "gone/<b>" for node in agent.get("/v1/catalog/nodes"))
    assert client.show("nodes", "gone/<b>").status == 404
    assert "comes back by itself" in client.show("nodes", "n1", do="deregister")


def test_selected_nodes_are_maintained_and_deregistered(agent: AgentProcess, client: PageClient) -> None:
    names = ["gone/1", "gone/<b>"]
    for name in names:
        agent.put("/v1/catalog/register", {"Node": name, "Address": "10.1.1.1"})
    question = client.open("/ui/dc1/nodes?do=maintenance&on=n1&on=gone%2F1")
    assert "Put 2 nodes into maintenance?" in question
    assert "Left out: gone/1" in question
    page = client.act(question, "maintenance", reason="both")
    assert "n1 is in maintenance." in page
    assert "gone/1: this node has no agent" in page
    assert "n1 is back." in client.act(client.open("/ui/dc1/nodes?do=maintenance-end&on=n1"), "maintenance-end")
    question = client.open("/ui/dc1/nodes?do=deregister&on=gone%2F1&on=gone%2F%3Cb%3E")
    assert "gone/1, gone/<b> go from the catalog" in question
    assert "2 nodes are deregistered." in client.act(question, "deregister")
    assert not {node["Node"] for node in agent.get("/v1/catalog/nodes")} & set(names)
    assert client.show("nodes", do="deregister").status == 400
    assert client.show("nodes", do="deregister", on="gone/1").status == 404


def test_many_sessions_end_at_once(agent: AgentProcess, client: PageClient) -> None:
    ids = [session(agent, Name=f"<b>{number}", Behavior="delete") for number in range(3)]
    for number, one in enumerate(ids):
        agent.request("PUT", f"/v1/kv/many/{number}?acquire={one}", b"x")
    page = client.show("sessions")
    assert "3 keys are locked" in page
    assert "<b>0" in page
    question = client.open("/ui/dc1/sessions?do=invalidate&" + "&".join(f"on={one}" for one in ids))
    assert "3 keys are deleted: many/0, many/1, many/2." in question
    assert f"pyconsul session destroy {' '.join(ids)}" in question
    assert "Invalidated 3 sessions." in client.act(question, "invalidate", on=ids)
    assert agent.get("/v1/session/list") == []
    assert "No sessions: nothing is locked" in client.show("sessions")


def test_a_session_that_has_ended_is_said(client: PageClient) -> None:
    missing = client.show("sessions", do="invalidate", on="5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c99")
    assert missing.status == 404
    assert "does not exist any more" in missing
    assert client.show("sessions", do="invalidate").status == 400


def test_a_node_with_many_services_has_parts(client: PageClient, agent: AgentProcess) -> None:
    for number in range(450):
        checks = [{"CheckID": f"c{number}", "Status": "passing", "ServiceID": f"s{number:03}"}]
        service = {"ID": f"s{number:03}", "Service": "many"}
        agent.put(
            "/v1/catalog/register", {"Node": "crowd", "Address": "10.0.0.9", "Service": service, "Checks": checks}
        )
    for tab in ("health-checks", "service-instances"):
        first, last = client.show("nodes", "crowd", tab), client.show("nodes", "crowd", tab, part=3)
        assert "1–200 of 450" in first
        assert (first.html.count("data-row"), last.html.count("data-row")) == (200, 50)
    assert "s449" in last
    agent.put("/v1/catalog/deregister", {"Node": "crowd"})


def test_the_services_of_an_agent_have_parts(client: PageClient, agent: AgentProcess) -> None:
    for number in range(205):
        agent.put("/v1/agent/service/register", {"Name": f"own{number:03}"})
    assert "of 20" in client.show("agent", "services")
    assert "own204" in client.show("agent", "services", part=2)
    for number in range(205):
        agent.put(f"/v1/agent/service/deregister/own{number:03}")
