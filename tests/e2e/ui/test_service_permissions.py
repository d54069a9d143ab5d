"""Pages of services and the overview with tokens that may read only, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.acl_agent import Manager, acl_agent
from support.page_client import PageClient

RULES = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
MISSING = 'needs the rule service "web" { policy = "write" }'


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as manager:
        check = {"CheckID": "beat", "TTL": "10m"}
        for name in ("web", "other"):
            manager.write("/v1/agent/service/register", {"Name": name, "Check": {**check, "CheckID": f"{name}-beat"}})
        manager.write("/v1/agent/check/update/web-beat", {"Status": "critical", "Output": "disk full"})
        yield manager


def test_a_reader_sees_everything_and_may_change_nothing(root: Manager) -> None:
    pages = PageClient(root.agent, root.caller(RULES).secret)
    for segments in (("services", "web", "instances"), ("services", "web", "instances", "n1", "web")):
        page = pages.show(*segments)
        assert "disk full" in page
        assert "critical: disk full</title>" in page.html
        assert MISSING.replace('"', "&#34;") in page.html
    question = pages.show("services", "web", "instances", do="deregister", on="n1/web")
    assert MISSING in question
    page = pages.act(question, "deregister")
    assert page.status == 403
    assert "web on n1 was not deregistered" in page
    assert "web" in root.agent.request("GET", "/v1/agent/services", headers={"X-Consul-Token": root.secret})[2].decode()


def test_the_overview_tells_only_what_a_token_may_see(root: Manager) -> None:
    rules = 'service "other" { policy = "read" } node_prefix "" { policy = "read" }'
    page = PageClient(root.agent, root.caller(rules).secret).show("overview")
    assert "The one service is failing" in page
    assert "web-beat" not in page.html
    assert "disk full" not in page.html
    assert 'needs the rule operator = "read"' in page
    nobody = PageClient(root.agent).show("overview")
    assert "No services are registered, or your token shows none" in nobody
    assert "beat" not in nobody.html


@pytest.mark.parametrize("page", ["services", "nodes", "sessions", "queries", "events"])
def test_a_search_without_rights_says_that_the_token_may_lack_them(root: Manager, page: str) -> None:
    shown = PageClient(root.agent, root.caller("").secret).show(page, filter="web")
    assert "Show all 0" not in shown
    assert "your token" in shown
