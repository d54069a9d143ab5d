"""Services in a browser: they are live, and are put into maintenance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from support.agent_process import AgentProcess, running_agent
from support.browser import Window, barriers, overflow, window

WEB = {"Name": "web", "Port": 80, "Tags": ["v1"], "Check": {"TTL": "10m", "Status": "passing"}}
API = {"Name": "api", "Port": 81, "Check": {"TTL": "10m", "Status": "critical", "Notes": "asks the database"}}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(ui_config={"enabled": True}) as running:
        for service in (WEB, API):
            running.put("/v1/agent/service/register", service)
        yield running


def test_a_new_service_appears_without_a_reload(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(f"http://{agent.address}/ui/dc1/services")
    expect(page.locator("#connection")).to_have_text("● live")
    assert page.evaluate("window.kept = true")
    agent.put("/v1/agent/service/register", {"Name": "fresh"})
    expect(page.get_by_role("link", name="fresh")).to_be_visible()
    agent.put("/v1/agent/service/deregister/fresh")
    expect(page.get_by_role("link", name="fresh")).to_have_count(0)
    assert page.evaluate("window.kept")


def test_an_instance_goes_into_maintenance_and_back(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(f"http://{agent.address}/ui/dc1/services/web/instances")
    page.get_by_label("Select web on n1").check()
    page.get_by_role("button", name="Maintenance", exact=True).click()
    page.get_by_label("Reason").fill("new disk")
    page.get_by_role("button", name="Put web on n1 into maintenance").click()
    expect(page.get_by_text("web on n1 is in maintenance.")).to_be_visible()
    checks = {check["CheckID"]: check for check in agent.get("/v1/health/checks/web")}
    assert checks["_service_maintenance:web"]["Notes"] == "new disk"
    page.get_by_label("Select web on n1").check()
    page.get_by_role("button", name="End maintenance", exact=True).click()
    page.get_by_role("button", name="End the maintenance of web").click()
    expect(page.get_by_text("web on n1 is back.")).to_be_visible()


def test_ten_tabs_are_all_live(agent: AgentProcess, tab: Window) -> None:
    pages = [tab.open(f"http://{agent.address}/ui/dc1/services?sort=Name:{order}") for order in ("asc", "desc") * 5]
    agent.put("/v1/agent/service/register", {"Name": "tenfold"})
    for page in pages:
        expect(page.get_by_role("link", name="tenfold")).to_be_visible()
    agent.put("/v1/agent/service/deregister/tenfold")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_nothing_overflows_and_nobody_is_kept_out(
    agent: AgentProcess, browser: Browser, dark: bool, phone: bool
) -> None:
    with window(browser, dark=dark, phone=phone) as opened:
        page = opened.open(f"http://{agent.address}/ui/dc1/services")
        expect(page.locator("#connection")).to_have_text("● live")
        assert overflow(page) == []
        assert barriers(page) == []
