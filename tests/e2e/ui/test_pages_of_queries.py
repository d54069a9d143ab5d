"""Events and prepared queries without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.agent_process import AgentProcess, running_agent
from support.page_client import PageClient

HOSTILE = "<script>alert('x')</script>"
WEB = {"Name": "near", "Service": {"Service": "web", "OnlyPassing": True, "Tags": ["v1"]}}
GEO = {
    "Name": "geo-",
    "Template": {"Type": "name_prefix_match", "Regexp": "^geo-(.*)$"},
    "Service": {"Service": "${match(1)}"},
}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        running.put("/v1/agent/service/register", {"Name": "web", "Port": 80, "Tags": ["v1"]})
        yield running


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def create(agent: AgentProcess, query: object) -> str:
    status, _, body = agent.request("POST", "/v1/query", query)
    assert status == 200, body
    query_id: str = json.loads(body)["ID"]
    return query_id


@pytest.mark.single_server("names the server that shows the page")
def test_an_event_is_fired_and_listed(agent: AgentProcess, client: PageClient) -> None:
    assert "No event has reached server n1" in client.show("events")
    fields = {"name": HOSTILE, "payload": "<b>\u202e", "node": "", "service": "web", "tag": "v1"}
    page = client.ask_and_act("events", do="fire", **fields)
    assert f'Fired the event "{HOSTILE}" for service web, tag v1.' in page
    listed = client.show("events")
    assert HOSTILE in listed
    assert "<b>\\u202e" in listed
    assert "service web" in listed
    assert "now" in listed or "ago" in listed
    assert [event["Name"] for event in agent.get("/v1/event/list")] == [HOSTILE]
    assert "No event matches." in client.show("events", filter="nothing")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "An event needs a name."),
        ({"name": "x", "tag": "v1"}, "Cannot provide tag filter without service filter"),
        ({"name": "x", "node": "("}, "Invalid node filter"),
        ({"name": "x", "payload": "long" * 1000}, "was not fired"),
    ],
)
def test_a_refused_event_keeps_what_was_typed(client: PageClient, fields: dict[str, str], reason: str) -> None:
    page = client.ask_and_act("events", do="fire", **{"payload": "kept payload", **fields})
    assert page.status >= 400
    assert reason in page
    assert "kept payload" in page or "longlong" in page


def test_a_query_is_created_run_changed_and_deleted(agent: AgentProcess, client: PageClient) -> None:
    assert "No prepared queries" in client.show("queries")
    page = client.ask_and_act("queries", do="create-json", definition=json.dumps(WEB))
    assert 'Created the query "near".' in page
    [query] = agent.get("/v1/query")
    assert "tag v1, only passing" in client.show("queries")
    found = client.show("queries", query["ID"], run="now")
    assert "/ui/dc1/services/web/instances/n1/web" in found.links
    assert ":80" in found
    edited = {**WEB, "Service": {"Service": "api"}}
    page = client.ask_and_act("queries", query["ID"], do="edit-json", definition=json.dumps(edited))
    assert 'Saved the query "near".' in page
    assert agent.get("/v1/query")[0]["Service"]["Service"] == "api"
    assert "No instance of api fits." in client.show("queries", query["ID"], run="now")
    page = client.ask_and_act("queries", query["ID"], do="delete")
    assert 'Deleted the query "near".' in page
    assert agent.get("/v1/query") == []
    assert client.show("queries", query["ID"]).status == 404


def test_the_usual_fields_have_a_form(agent: AgentProcess, client: PageClient) -> None:
    fields = {"name": "shop", "service": "web", "tags": "v1\r\n!old", "passing": "true", "near": "_agent"}
    page = client.ask_and_act("queries", do="create", **fields, nearest="2", datacenters="dc2\r\ndc3", ttl="10s")
    assert 'Created the query "shop".' in page
    [query] = agent.get("/v1/query")
    assert query["Service"]["Failover"]["Datacenters"] == ["dc2", "dc3"]
    whole = {**query, "Service": {**query["Service"], "NodeMeta": {"rack": "r1"}}}
    agent.put(f"/v1/query/{query['ID']}", whole)
    question = client.show("queries", query["ID"], do="edit")
    assert "What this form does not have stays as it is: Service.NodeMeta." in question
    page = client.act(question, "edit", name="shop", service="web", passing="true", near="_agent", ttl="")
    assert 'Saved the query "shop".' in page
    [changed] = agent.get("/v1/query")
    assert (changed["Service"]["NodeMeta"], changed["Service"]["Near"]) == ({"rack": "r1"}, "_agent")
    assert (changed["DNS"]["TTL"], changed["Service"]["Failover"]["NearestN"]) == ("", 0)
    assert not changed["Service"]["Tags"]
    agent.request("DELETE", f"/v1/query/{query['ID']}")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"service": "web", "nearest": "many"}, "Give a number from 0 to 1,000."),
        ({"service": "web", "ttl": "soon"}, "TTL"),
        ({"service": ""}, "Must provide a Service name"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(client: PageClient, fields: dict[str, str], reason: str) -> None:
    page = client.ask_and_act("queries", do="create", name="kept name", passing="", **fields)
    assert page.status >= 400
    assert reason in page
    assert 'value="kept name"' in page.html
    assert 'name="passing" value="true" checked' not in page.html


def test_a_change_of_somebody_else_is_not_overwritten(agent: AgentProcess, client: PageClient) -> None:
    query_id = create(agent, WEB)
    question = client.show("queries", query_id, do="edit-json")
    agent.put(f"/v1/query/{query_id}", {**WEB, "Name": "theirs"})
    page = client.act(question, "edit-json", definition=json.dumps({**WEB, "Name": "mine"}))
    assert page.status == 409
    assert "It has been changed since this form was opened." in page
    assert "mine" in page.html
    assert agent.get("/v1/query")[0]["Name"] == "theirs"
    agent.request("DELETE", f"/v1/query/{query_id}")


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ('{"Name": "x",\n "Service": }', "line 2"),
        ("[]", "A query is an object"),
        ('{"Name": "x"}', "Must provide a Service name"),
        ('{"Name": 7}', "Name"),
    ],
)
def test_a_wrong_definition_is_explained_where_it_stands(client: PageClient, definition: str, reason: str) -> None:
    page = client.ask_and_act("queries", do="create-json", definition=definition)
    assert page.status >= 400
    assert reason in page
    assert 'class="field wrong"' in page.html


def test_a_template_is_explained_and_run_under_a_name(agent: AgentProcess, client: PageClient) -> None:
    query_id = create(agent, GEO)
    page = client.show("queries", "name", name="geo-web")
    assert "geo-web is answered by geo-, a template: instances of web" in page
    assert "/services/web/instances/n1/web" in " ".join(client.show("queries", query_id, run="geo-web").links)
    assert "No query answers other" in client.show("queries", "name", name="other")
    agent.request("DELETE", f"/v1/query/{query_id}")


def test_hostile_names_of_queries_are_text(agent: AgentProcess, client: PageClient) -> None:
    query_id = create(agent, {"Name": HOSTILE, "Service": {"Service": HOSTILE, "Tags": [HOSTILE]}})
    for page in (client.show("queries"), client.show("queries", query_id), client.show("queries", query_id, run="now")):
        assert page.status == 200
        assert HOSTILE in page
        assert page.elements.count("script") == 1
    assert client.show("queries", "no/uuid").status == 404
    agent.request("DELETE", f"/v1/query/{query_id}")
