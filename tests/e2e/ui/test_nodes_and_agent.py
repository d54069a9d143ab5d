"""Nodes, members, servers and the agent in a browser: what only a browser shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from support.agent_process import AgentProcess, running_agent
from support.browser import Window, barriers, overflow, window

LONG = "x" * 60
PAGES = (
    "nodes",
    "nodes/n1",
    "nodes/n1/rtt",
    "nodes/n1/lock-sessions",
    "sessions",
    "events",
    "queries",
    "queries/name?name=near",
    "members",
    "servers",
    "agent",
    "agent/services",
    "agent/settings?show=all",
    "agent/log",
)


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        running.put("/v1/agent/service/register", {"Name": f"<b>{LONG}", "Check": {"TTL": "10m"}})
        running.put("/v1/catalog/register", {"Node": LONG, "Address": "10.0.0.1", "NodeMeta": {LONG: LONG}})
        for node, vector in (("n1", 0.0), (LONG, 0.02)):
            coordinate = {"Vec": [vector, *[0] * 7], "Error": 0.1, "Adjustment": 0, "Height": 0.0001}
            running.put("/v1/coordinate/update", {"Node": node, "Segment": "", "Coord": coordinate})
        session = running.put("/v1/session/create", {"Name": LONG})["ID"]
        running.request("PUT", f"/v1/kv/{LONG}?acquire={session}", b"x")
        running.request("PUT", f"/v1/event/fire/{LONG}?node=n1", b"payload" * 30)
        query = {"Name": "near", "Service": {"Service": LONG, "Near": "_agent", "Tags": [LONG]}}
        running.request("POST", "/v1/query", query)
        yield running


@pytest.mark.parametrize("kind", ["light", "dark", "phone"])
def test_nothing_overflows_and_nobody_is_kept_out(agent: AgentProcess, browser: Browser, kind: str) -> None:
    with window(browser, dark=kind == "dark", phone=kind == "phone") as opened:
        page = opened.open(f"http://{agent.address}/ui/dc1/{PAGES[0]}")
        for path in PAGES:
            page.goto(f"http://{agent.address}/ui/dc1/{path}")
            assert overflow(page) == [], path
            assert barriers(page) == [], path


def test_a_selection_of_sessions_survives_changes_and_is_ended(agent: AgentProcess, tab: Window) -> None:
    ids = [agent.put("/v1/session/create", {"Name": name})["ID"] for name in ("one", "two")]
    page = tab.open(f"http://{agent.address}/ui/dc1/sessions")
    expect(page.locator("#connection")).to_have_text("● live")
    for name in ("one", "two"):
        page.get_by_label(name, exact=True).check()
    page.mouse.move(0, 0)  # rows do not move under the pointer
    agent.put("/v1/session/create", {"Name": "three"})
    expect(page.get_by_text("three", exact=True)).to_be_visible()
    page.get_by_role("button", name="Invalidate the selected sessions").click()
    page.get_by_role("button", name="Invalidate 2 sessions").click()
    expect(page.get_by_text("Invalidated 2 sessions.")).to_be_visible()
    assert not {one["ID"] for one in agent.get("/v1/session/list")} & set(ids)


def test_the_log_grows_while_it_is_read(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(f"http://{agent.address}/ui/dc1/agent/log?level=info")
    expect(page.locator("#connection")).to_have_text("● live")
    agent.put("/v1/agent/check/register", {"Name": "fresh", "TTL": "1h"})
    agent.put("/v1/agent/check/warn/fresh")
    expect(page.locator("#log .warning").filter(has_text="check=fresh")).to_be_visible()


def test_the_page_of_the_agent_is_kept_up_to_date(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(f"http://{agent.address}/ui/dc1/agent/services")
    expect(page.locator("#connection")).to_have_text("● live")
    assert page.evaluate("window.kept = true")
    agent.put("/v1/agent/service/register", {"Name": "late"})
    expect(page.get_by_role("link", name="late")).to_be_visible()
    assert page.evaluate("window.kept")
