"""Services in a browser: they are live, and are put into maintenance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from support.agent_process import AgentProcess, running_agent
from support.browser import Window, barriers, overflow, window

WEB = {"Name": "web", "Port": 80, "Tags": ["v1"], "Check": {"TTL": "10m", "Status": "passing"}}
API = {"Name": "api", "Port": 81, "Check": {"TTL": "10m", "Status": "critical", "Notes": "asks the database"}}
LONG = "long-" + "x" * 150
DISK = {"Name": "disk", "Port": 82, "Check": {"CheckID": "disk", "TTL": "10m"}}
PAGES = (
    "services",
    "services?filter=Node+%3D%3D",
    "services/api/instances",
    f"services/{LONG}/instances",
    f"services/{LONG}/instances/{LONG}/{LONG}",
    "services/api/instances?do=deregister&on=n1/api",
    "services/api/instances/n1/api/metadata",
    "services/api/routing",
    "overview",
)


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(ui_config={"enabled": True}) as running:
        for service in (WEB, API):
            running.put("/v1/agent/service/register", service)
        long = {"ID": LONG, "Service": LONG, "Tags": [LONG, "🦀"], "Meta": {"k": LONG}, "Port": 1}
        check = {"Node": LONG, "CheckID": LONG, "Name": LONG, "Status": "critical", "ServiceID": LONG, "Output": LONG}
        running.put("/v1/catalog/register", {"Node": LONG, "Address": "10.1.1.1", "Service": long, "Check": check})
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


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light-desktop", "dark-phone"])
def test_nothing_overflows_and_nobody_is_kept_out(
    agent: AgentProcess, browser: Browser, dark: bool, phone: bool
) -> None:
    with window(browser, dark=dark, phone=phone) as opened:
        for path in PAGES:
            page = opened.open(f"http://{agent.address}/ui/dc1/{path}")
            expect(page.locator("#connection")).to_have_text("● live")
            assert overflow(page) == [], path
            assert barriers(page) == [], path
            page.close()


def test_bars_follow_the_results_of_a_check(agent: AgentProcess, tab: Window) -> None:
    agent.put("/v1/agent/service/register", DISK)
    agent.put("/v1/agent/check/pass/disk", b"")
    page = tab.open(f"http://{agent.address}/ui/dc1/services/disk/instances/n1/disk")
    bars = page.locator(".bars rect")
    expect(bars).to_have_count(1)
    agent.put("/v1/agent/check/fail/disk?note=94%25+full", b"")
    expect(bars).to_have_count(2, timeout=15_000)
    expect(page.locator("pre", has_text="94% full")).to_be_visible()


def test_many_services_are_selected_and_acted_on_at_once(agent: AgentProcess, tab: Window) -> None:
    for number in range(3):
        agent.put("/v1/agent/service/register", {"Name": f"batch-{number}"})
    page = tab.open(f"http://{agent.address}/ui/dc1/services")
    page.get_by_label("Filter", exact=True).fill("batch")
    expect(page.locator("[data-row]")).to_have_count(3)
    page.get_by_label("Select all services on this page").check()
    page.get_by_label("Select batch-1").uncheck()
    page.get_by_role("button", name="Deregister").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("batch-0 on n1, batch-2 on n1")).to_be_visible()
    dialog.get_by_role("button", name="Deregister 2 instances of 2 services").click()
    expect(page.get_by_text("2 instances are deregistered.")).to_be_visible()
    assert "batch-1" in agent.get("/v1/agent/services")
    assert "filter=batch" in page.url
    agent.put("/v1/agent/service/deregister/batch-1")


def test_expressions_are_completed_and_their_mistakes_are_marked(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(f"http://{agent.address}/ui/dc1/services")
    page.get_by_label("Filter", exact=True).fill("ServiceTags contains ")
    expect(page.locator("#filter-words option[value='ServiceTags contains \"v1\"']")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("^")
    page.get_by_label("Filter", exact=True).fill('ServiceTags contains "v1"')
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("[data-row]")).to_have_count(1)
