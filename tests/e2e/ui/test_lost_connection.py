"""The agent goes away while a page is open: the page says since when it is stale, and recovers by itself."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from support.agent_process import AgentProcess
from support.browser import Window


def test_a_page_says_that_it_is_stale_and_recovers(tmp_path: Path, tab: Window) -> None:
    agent = AgentProcess(tmp_path, tmp_path / "data", ui_config={"enabled": True}).start()
    try:
        agent.put("/v1/agent/service/register", {"Name": "web"})
        page = tab.open(f"http://{agent.address}/ui/dc1/services")
        state = page.locator("#connection")
        expect(state).to_have_text("● live")
        page.locator("[data-filter]").type("we")
        agent.kill()
        expect(state).to_contain_text("stale since")
        expect(state).to_contain_text("reconnecting")
        expect(page.get_by_role("link", name="web")).to_be_visible()
        agent.start()
        expect(state).to_have_text("● live", timeout=30_000)
        agent.put("/v1/agent/service/register", {"Name": "we-are-back"})
        expect(page.get_by_role("link", name="we-are-back")).to_be_visible()
        expect(page.locator("[data-filter]")).to_have_value("we")
    finally:
        agent.stop()
