"""The pages of services and instances over HTTP, as a browser without scripts sees them, and their actions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually
from support.page_client import PageClient, Shown

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
def pages(agent: AgentProcess) -> Visitor:
    return Visitor(agent)


class Visitor(PageClient):
    """Shows pages by their addresses below the datacenter."""

    def at(self, path: str) -> Shown:
        """Show a page, which may be one of an error."""
        return self.open("/ui/dc1/" + path)

    def text(self, path: str) -> str:
        """Return the text of a page that is shown, with spaces between its elements."""
        page = self.at(path)
        assert page.status == 200, page.text
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.html)).split())

    def carry_out(self, path: str, do: str, instances: list[str], **fields: str) -> str:
        """Ask for an action on instances, and confirm it; return the text of the page that follows."""
        question = self.at(f"{path}?" + urlencode([("do", do), *(("on", one) for one in instances)]))
        assert question.status == 200, question.text
        return self.act(question, do, on=instances, **fields).text


def states(agent: AgentProcess, name: str) -> dict[str, set[str]]:
    rows = agent.get(f"/v1/health/service/{quote(name, safe='')}")
    return {one["Service"]["ID"]: {check["Status"] for check in one["Checks"]} for one in rows}


def test_a_service_shows_the_worst_instance_first_and_why_it_fails(pages: Visitor) -> None:
    text = pages.text("services/api/instances")
    places = [text.index(name) for name in ("api-1", "api-9", "api-2", "api-3")]
    assert places == sorted(places)
    assert "timeout after 3s" in text
    assert "127.0.0.1:8001 node’s" in text
    assert "No bars of ext1: no agent has this name" in text


def test_bars_show_the_last_results(pages: Visitor) -> None:
    page = pages.at("services/api/instances").html
    assert '<rect class="critical"' in page
    assert "critical: timeout after 3s</title>" in page


@pytest.mark.single_server("commands name the port of the server that shows the page")
def test_how_to_use_a_service(agent: AgentProcess, pages: Visitor) -> None:
    agent.request("POST", "/v1/query", {"Name": "near-api", "Service": {"Service": "api"}})
    page, text = pages.at("services/api"), pages.text("services/api")
    assert f"dig @127.0.0.1 -p {agent.dns_port} +short api.service.consul" in text
    targets = ("8002 n1", "8003 n1", "99 ext1")
    assert "api.service.consul SRV " + " ".join(f"1 1 {one}.node.dc1.consul." for one in targets) in text
    assert "v1.api.service.consul A 127.0.0.1" in text
    assert "near-api.query.consul A 10.1.2.3 127.0.0.1" in text
    assert 'href="https://grafana.example/d/api?dc=dc1&amp;x={{Unknown}}"' in page.html


def test_a_filter_chooses_instances_and_shows_the_place_of_a_mistake(pages: Visitor) -> None:
    chosen = pages.text("services/api/instances?filter=" + quote('"v1" in ServiceTags and ServicePort == 8002'))
    assert "api-2" in chosen
    assert "api-3" not in chosen
    words = pages.text("services/api/instances?filter=rack%3Dr1+8003")
    assert "api-3" in words
    assert "api-2" not in words
    assert "No instance matches" in pages.text("services/api/instances?filter=nowhere")
    assert "^" in pages.text("services/api/instances?filter=" + quote("ServicePort == "))


@pytest.mark.parametrize("tail", ["tags", "intentions", "routing"])
def test_other_pages_of_a_service(pages: Visitor, tail: str) -> None:
    text = pages.text(f"services/api/{tail}")
    assert ("v1 3 of 4" in text) == (tail == "tags")
    assert ("no service mesh" in text) == (tail != "tags")


@pytest.mark.parametrize("tail", ["", "/health-checks", "/metadata"])
def test_an_instance(pages: Visitor, tail: str) -> None:
    text = pages.text(f"services/api/instances/n1/api-1{tail}")
    assert "api-1" in text
    assert ("timeout after 3s" in text) == (tail != "/metadata")
    assert ("rack r1" in text) == (tail == "/metadata")


def test_what_is_missing_gets_a_page(pages: Visitor) -> None:
    for path in ("services/none", "services/api/instances/n1/none", "services/none/tags"):
        page = pages.at(path)
        assert page.status == 404
        assert "is not registered" in page


def test_many_instances_go_into_maintenance_and_back(agent: AgentProcess, pages: Visitor) -> None:
    chosen = ["n1/api-2", "n1/api-3", "ext1/api-9"]
    question = pages.text("services/api/instances?do=maintenance&on=n1/api-2&on=n1/api-3&on=ext1/api-9")
    assert "Put 2 instances of api into maintenance?" in question
    assert "Not possible for api-9 on ext1: the entry belongs to the catalog only" in question
    assert "No healthy instance" not in question
    text = pages.carry_out("services/api/instances", "maintenance", chosen, reason="new <disk>")
    assert "2 of 3 instances are in maintenance." in text
    assert "api-9 on ext1 was not put into maintenance" in text
    assert "new <disk>" in text
    assert "critical" in states(agent, "api")["api-2"]
    text = pages.carry_out("services/api/instances", "maintenance-end", chosen[:2])
    assert "2 instances are back." in text
    assert states(agent, "api")["api-2"] == {"passing"}


def test_nothing_selected_is_said(pages: Visitor) -> None:
    for path, text in (
        ("?do=maintenance", "Nothing is selected"),
        ("?do=deregister&on=n1/gone", "not registered any more"),
    ):
        page = pages.at("services/api/instances" + path)
        assert page.status == 400
        assert text in page


def test_instances_are_deregistered_by_their_agents_or_from_the_catalog(agent: AgentProcess, pages: Visitor) -> None:
    agent.put("/v1/agent/service/register", {"Name": "doomed"})
    agent.put("/v1/catalog/register", external("ext2", "doomed-9", "doomed"))
    question = pages.text("services/doomed/instances?do=deregister&on=n1/doomed&on=ext2/doomed-9")
    assert "Deregistered by the agent that holds it, with its checks: doomed on n1." in question
    assert "Removed from the catalog: doomed-9 on ext2. The entry belongs to the catalog only" in question
    assert "pyconsul services deregister -node n1 -id doomed" in question
    assert "No healthy instance of doomed is left then." in question
    text = pages.carry_out("services/doomed/instances", "deregister", ["n1/doomed", "ext2/doomed-9"])
    assert "2 instances are deregistered." in text
    assert "doomed" not in agent.get("/v1/agent/services")
    assert states(agent, "doomed") == {}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(agent: AgentProcess, pages: Visitor, name: str) -> None:
    check = {"Node": name, "CheckID": name, "Name": name, "Status": "critical", "ServiceID": name, "Output": name}
    body = {
        "Node": name,
        "Address": "10.9.9.9",
        "Service": {"ID": name, "Service": name, "Tags": [name], "Meta": {"k": name}},
    }
    agent.put("/v1/catalog/register", {**body, "Check": check})
    part = quote(name, safe="")
    for path in (f"services/{part}/instances", f"services/{part}/instances/{part}/{part}", f"services/{part}/tags"):
        page = pages.at(path)
        assert page.status == 200
        assert name in page
        assert "<script>alert" not in page.html
    key = quote(f"{part}/{part}", safe="")
    assert "Deregister" in pages.text(f"services/{part}/instances?do=deregister&on={key}")
    text = pages.carry_out(f"services/{part}/instances", "deregister", [f"{part}/{part}"])
    assert "is deregistered." in text
    agent.put("/v1/catalog/deregister", {"Node": name})


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("tag=v1", True),
        ("tag=v2", False),
        ("meta=rack", True),
        ("meta=rack%3Dr2", False),
        ("node=ext1", True),
        ("node=n9", False),
        ("status=critical", True),
        ("status=passing", False),
        ("filter=API", True),
        ("filter=nothing", False),
        ("filter=" + quote('ServiceMeta.rack == "r1"'), True),
        ("filter=" + quote('ServiceMeta.rack == "r2"'), False),
    ],
)
def test_services_are_filtered(pages: Visitor, query: str, shown: bool) -> None:
    links = pages.at(f"services?{query}").links
    assert ("/ui/dc1/services/api/instances" in links) == shown


def test_an_expression_is_completed_and_counts_the_instances_it_selects(pages: Visitor) -> None:
    page = pages.at("services?filter=" + quote("ServiceTags contains "))
    assert "Allowed there" in page
    assert 'value="ServiceTags contains &#34;v1&#34;"' in page.html
    assert "1 of 3 down" in pages.text("services?filter=" + quote('"v1" in ServiceTags'))


def test_the_reason_is_shown_before_the_catalog_has_it(pages: Visitor) -> None:
    assert "1 of 4 down" in pages.text("services")
    assert "timeout after 3s" in pages.text("services")


def test_an_action_on_services_is_about_all_their_instances(agent: AgentProcess, pages: Visitor) -> None:
    for number in (1, 2):
        agent.put("/v1/agent/service/register", {"ID": f"pair-{number}", "Name": "pair"})
    agent.put("/v1/agent/service/register", {"Name": "single"})
    question = pages.at("services?sort=Name:asc&do=deregister&service=pair&service=single")
    assert "Deregister 3 instances of 2 services?" in question
    page = pages.act(question, "deregister", on=[f"n1/{one}" for one in ("pair-1", "pair-2", "single")])
    assert "3 instances are deregistered." in page
    assert not {"pair-1", "pair-2", "single"} & agent.get("/v1/agent/services").keys()
