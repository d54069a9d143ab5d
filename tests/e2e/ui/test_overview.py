"""The overview over HTTP: the sentence, failing checks, servers, and the timeline."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.agent_process import AgentProcess, running_agent
from support.page_client import PageClient


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(ui_config={"enabled": True}) as running:
        for name, status in (("web", "passing"), ("mail", "warning"), ("api", "critical")):
            check = {"CheckID": name, "Name": f"{name} check", "TTL": "10m"}
            running.put("/v1/agent/service/register", {"Name": name, "Check": check})
            report = {"Status": status, "Output": f"{name} says <b>"}
            running.put(f"/v1/agent/check/update/{name}", report)
        yield running


@pytest.fixture
def pages(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


@pytest.mark.parametrize("path", ["/ui/", "/ui/dc1", "/ui/dc1/overview", "/ui/dc1/overview/server-status"])
@pytest.mark.single_server("shows a development agent")
def test_the_worst_is_said_first(pages: PageClient, path: str) -> None:
    page = pages.open(path)
    assert page.status == 200
    assert "1 of 4 services is failing; there is one server: it must not fail." in page
    failing = page.html[page.html.index('id="failing"') : page.html.index('id="timeline-title"')]
    assert re.findall(r"<strong>(\w+) check</strong>", failing) == ["api", "mail"]
    assert "api says &lt;b&gt;" in failing
    assert '<rect class="critical"' in failing
    assert "memory only" in page


@pytest.mark.single_server("counts the nodes")
def test_the_timeline_is_filtered(agent: AgentProcess, pages: PageClient) -> None:
    agent.put("/v1/catalog/register", {"Node": "passer-by", "Address": "10.0.0.9"})
    page = pages.show("overview", kind="node", filter="passer")
    assert "was registered" in page
    assert re.search(r"2 nodes\s+no checks\s*1\s+passing\s*1", page.text)
    assert "api says" not in pages.show("overview", kind="node").html.partition("timeline-title")[2]
    assert "No change matches" in pages.show("overview", filter="never-seen")
    agent.put("/v1/catalog/deregister", {"Node": "passer-by"})
    assert "was deregistered" in pages.show("overview", filter="passer-by")


def test_a_flapping_check_stands_once(agent: AgentProcess, pages: PageClient) -> None:
    for status in ("critical", "passing") * 3:
        agent.put("/v1/agent/check/update/web", {"Status": status})
    page = pages.show("overview", filter="web")
    found = re.search(r"is flapping: (\d+) changes", page.text)
    assert found is not None
    assert int(found[1]) >= 6
    assert page.text.count("web check") == 1
