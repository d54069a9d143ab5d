"""The pages of services and instances over HTTP, as a browser without scripts sees them, and their actions."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.page_client import PageClient

HOSTILE = ["<script>alert(1)</script>", "a\"b'c", "a/b%2Fc", "\u202eevil", "x" * 200, "🦀", "a b?c#d&e"]
GRAFANA = "https://grafana.example/d/{{Service.Name}}?dc={{Datacenter}}&x={{Unknown}}"


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    settings = {"enabled": True, "dashboard_url_templates": {"service": GRAFANA}}
    with running_agent(ui_config=settings, enable_script_checks=True) as running:
        db = {"CheckID": "db", "Name": "db", "Args": ["sh", "-c", "echo timeout after 3s; exit 2"], "Interval": "1s"}
        for number in (1, 2, 3):
            service = {
                "ID": f"api-{number}",
                "Name": "api",
                "Port": 8000 + number,
                "Tags": ["v1"],
                "Meta": {"rack": "r1"},
            }
            checks = [db] if number == 1 else [{"TTL": "10m", "Status": "passing"}]
            running.put("/v1/agent/service/register", {**service, "Checks": checks})
        running.put("/v1/catalog/register", external("ext1", "api-9", "api"))
        eventually(lambda: running.get("/v1/agent/check/results")["db"])
        yield running


def external(node: str, service_id: str, name: str) -> dict[str, object]:
    return {"Node": node, "Address": "10.1.2.3", "Service": {"ID": service_id, "Service": name, "Port": 99}}


@pytest.fixture
def pages(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def states(agent: AgentProcess, name: str) -> dict[str, set[str]]:
    rows = agent.get(f"/v1/health/service/{quote(name, safe='')}")
    return {one["Service"]["ID"]: {check["Status"] for check in one["Checks"]} for one in rows}


def test_a_service_shows_the_worst_instance_first_and_why_it_fails(pages: PageClient) -> None:
    text = pages.text("services/api/instances")
    places = [text.index(name) for name in ("api-1", "api-9", "api-2", "api-3")]
    assert places == sorted(places)
    assert "timeout after 3s" in text
    assert "127.0.0.1:8001 node’s" in text
    assert "No bars of ext1: no agent has this name" in text


def test_bars_show_the_last_results(pages: PageClient) -> None:
    page = pages.html("services/api/instances")
    assert '<rect class="critical"' in page
    assert "critical: timeout after 3s</title>" in page


def test_how_to_use_a_service(agent: AgentProcess, pages: PageClient) -> None:
    agent.request("POST", "/v1/query", {"Name": "near-api", "Service": {"Service": "api"}})
    page, text = pages.html("services/api"), pages.text("services/api")
    assert f"dig @127.0.0.1 -p {agent.dns_port} +short api.service.consul" in text
    targets = ("8002 n1", "8003 n1", "99 ext1")
    assert "api.service.consul SRV " + " ".join(f"1 1 {one}.node.dc1.consul." for one in targets) in text
    assert "v1.api.service.consul A 127.0.0.1" in text
    assert "near-api.query.consul A 10.1.2.3 127.0.0.1" in text
    assert 'href="https://grafana.example/d/api?dc=dc1&amp;x="' in page


def test_a_filter_chooses_instances_and_shows_the_place_of_a_mistake(pages: PageClient) -> None:
    chosen = pages.text("services/api/instances?filter=" + quote('"v1" in ServiceTags and ServicePort == 8002'))
    assert "api-2" in chosen
    assert "api-3" not in chosen
    words = pages.text("services/api/instances?filter=rack%3Dr1+8003")
    assert "api-3" in words
    assert "api-2" not in words
    assert "No instance matches" in pages.text("services/api/instances?filter=nowhere")
    assert "^" in pages.text("services/api/instances?filter=" + quote("ServicePort == "))


@pytest.mark.parametrize("tail", ["tags", "intentions", "routing"])
def test_other_pages_of_a_service(pages: PageClient, tail: str) -> None:
    text = pages.text(f"services/api/{tail}")
    assert ("v1 3 of 4" in text) == (tail == "tags")
    assert ("no service mesh" in text) == (tail != "tags")


@pytest.mark.parametrize("tail", ["", "/health-checks", "/metadata"])
def test_an_instance(pages: PageClient, tail: str) -> None:
    text = pages.text(f"services/api/instances/n1/api-1{tail}")
    assert "api-1" in text
    assert ("timeout after 3s" in text) == (tail != "/metadata")
    assert ("rack r1" in text) == (tail == "/metadata")


def test_what_is_missing_gets_a_page(pages: PageClient) -> None:
    for path in ("services/none", "services/api/instances/n1/none", "services/none/tags"):
        status, page = pages.open(path)
        assert status == 404
        assert "is not registered" in page


def test_many_instances_go_into_maintenance_and_back(agent: AgentProcess, pages: PageClient) -> None:
    chosen = [("on", "n1/api-2"), ("on", "n1/api-3"), ("on", "ext1/api-9")]
    question = pages.text("services/api/instances?do=maintenance&on=n1/api-2&on=n1/api-3&on=ext1/api-9")
    assert "Put 3 instances of api into maintenance?" in question
    assert "Not possible for api-9 on ext1: the entry belongs to the catalog only" in question
    assert "No healthy instance of api is left then." in question
    _, text = pages.act("services/api/instances", "maintenance", [*chosen, ("reason", "new <disk>")])
    assert "2 of 3 instances are in maintenance." in text
    assert "api-9 on ext1 was not put into maintenance" in text
    assert "new <disk>" in text
    assert "critical" in states(agent, "api")["api-2"]
    _, text = pages.act("services/api/instances", "maintenance-end", chosen[:2])
    assert "2 instances are back." in text
    assert states(agent, "api")["api-2"] == {"passing"}


def test_nothing_selected_is_said(pages: PageClient) -> None:
    status, page = pages.open("services/api/instances?do=maintenance")
    assert status == 400
    assert "Nothing is selected" in page
    status, text = pages.act("services/api/instances", "deregister", [("on", "n1/gone")])
    assert status == 400
    assert "are not registered any more" in text


def test_instances_are_deregistered_by_their_agents_or_from_the_catalog(agent: AgentProcess, pages: PageClient) -> None:
    agent.put("/v1/agent/service/register", {"Name": "doomed"})
    agent.put("/v1/catalog/register", external("ext2", "doomed-9", "doomed"))
    question = pages.text("services/doomed/instances?do=deregister&on=n1/doomed&on=ext2/doomed-9")
    assert "Deregistered by the agent that holds it, with its checks: doomed on n1." in question
    assert "Removed from the catalog: doomed-9 on ext2. The entry belongs to the catalog only" in question
    assert "pyconsul services deregister -node n1 -id doomed" in question
    chosen = [("on", "n1/doomed"), ("on", "ext2/doomed-9")]
    _, text = pages.act("services/doomed/instances", "deregister", chosen)
    assert "2 instances are deregistered." in text
    assert "doomed" not in agent.get("/v1/agent/services")
    assert states(agent, "doomed") == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(agent: AgentProcess, pages: PageClient, name: str) -> None:
    check = {"Node": name, "CheckID": name, "Name": name, "Status": "critical", "ServiceID": name, "Output": name}
    body = {
        "Node": name,
        "Address": "10.9.9.9",
        "Service": {"ID": name, "Service": name, "Tags": [name], "Meta": {"k": name}},
    }
    agent.put("/v1/catalog/register", {**body, "Check": check})
    part = quote(name, safe="")
    for path in (f"services/{part}/instances", f"services/{part}/instances/{part}/{part}", f"services/{part}/tags"):
        page = pages.html(path)
        assert name in pages.text(path) or " ".join(name.split()) in pages.text(path)
        assert "<script>alert" not in page
    key = quote(f"{part}/{part}", safe="")
    assert "Deregister" in pages.text(f"services/{part}/instances?do=deregister&on={key}")
    _, text = pages.act(f"services/{part}/instances", "deregister", [("on", f"{part}/{part}")])
    assert "is deregistered." in text
    agent.put("/v1/catalog/deregister", {"Node": name})
