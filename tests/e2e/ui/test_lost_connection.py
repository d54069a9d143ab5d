"""The agent, or the right to see a page, goes away while it is open: the page says so, keeps what was typed, and recovers."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect
from support.acl_agent import acl_agent
from support.agent_process import AgentProcess
from support.browser import Window

from pyconsul.agent.ui.browser import TOKEN


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


def test_nothing_is_sent_to_an_agent_that_is_away(tmp_path: Path, tab: Window) -> None:
    agent = AgentProcess(tmp_path, tmp_path / "data", ui_config={"enabled": True}).start()
    try:
        agent.put("/v1/kv/app", "old")
        page = tab.open(f"http://{agent.address}/ui/dc1/kv/app/edit?edit=1")
        page.locator("textarea").fill("typed before the crash")
        agent.kill()
        expect(page.locator("#connection")).to_contain_text("stale since")
        page.get_by_role("button", name="Save app").click()
        expect(page.get_by_role("alert")).to_contain_text("The agent does not answer: nothing was sent.")
        expect(page.locator("textarea")).to_have_value("typed before the crash")
        agent.start()
        page.get_by_role("button", name="Save app").click()
        expect(page.get_by_text("Saved app.")).to_be_visible()
        assert agent.request("GET", "/v1/kv/app?raw")[2] == b"typed before the crash"
    finally:
        agent.stop()


def test_what_was_typed_outlives_the_token(tab: Window) -> None:
    with acl_agent(ui_config={"enabled": True}) as root:
        root.write("/v1/kv/app", "old")
        root.write("/v1/acl/policy", {"Name": "app", "Rules": 'key "app" { policy = "write" }'})
        token = root.write("/v1/acl/token", {"Policies": [{"Name": "app"}]})
        page_address = f"http://{root.agent.address}/ui/dc1/kv/app/edit"
        tab.context.add_cookies(
            [{"name": TOKEN, "value": token["SecretID"], "url": f"http://{root.agent.address}/ui/"}]
        )
        shown, typed = tab.open(page_address), tab.open(f"{page_address}?edit=1")
        for page in (shown, typed):
            expect(page.locator("#connection")).to_have_text("● live")
        typed.locator("textarea").fill("half typed")
        assert root.ask("DELETE", f"/v1/acl/token/{token['AccessorID']}")[0] == 200
        typed.bring_to_front()
        expect(typed.get_by_role("alert")).to_contain_text("What you typed is kept")
        expect(typed.locator("textarea")).to_have_value("half typed")
        shown.bring_to_front()
        expect(shown.get_by_text("This token is not known")).to_be_visible()
