"""Access control and the palette in a browser: what only scripts, focus and layout show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from support.acl_agent import Manager, acl_agent
from support.browser import Window, barriers, overflow, window

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
HOSTILE = "<script>alert(1)</script>\"' \u202eevil %2F \U0001f600 " + "x" * 300


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as manager:
        manager.write("/v1/agent/service/register", {"Name": "shop-web"})
        manager.write("/v1/kv/shop/config", "1")
        manager.write(
            "/v1/acl/policy", {"Name": "p" * 128, "Description": HOSTILE, "Rules": 'key_prefix "" { policy = "read" }'}
        )
        manager.write("/v1/acl/role", {"Name": "r" * 256, "Description": HOSTILE, "Policies": [{"Name": "p" * 128}]})
        token = {
            "Description": HOSTILE,
            "Roles": [{"Name": "r" * 256}],
            "ServiceIdentities": [{"ServiceName": "s" * 200}],
        }
        manager.write("/v1/acl/token", token)
        config = {"JWKSURL": "http://127.0.0.1:1/"}
        manager.write(
            "/v1/acl/auth-method", {"Name": "m" * 128, "Type": "jwt", "DisplayName": HOSTILE, "Config": config}
        )
        rule = {"AuthMethod": "m" * 128, "BindType": "role", "BindName": "b" * 300, "Description": HOSTILE}
        manager.write("/v1/acl/binding-rule", {**rule, "Selector": 'value.x == "' + "y" * 300 + '"'})
        yield manager


def address(root: Manager, path: str) -> str:
    return f"http://{root.agent.address}/ui/dc1/{path}"


def logged_in(root: Manager, tab: Window, token: str = ROOT, path: str = "") -> Page:
    page = tab.open(address(root, "login"))
    page.get_by_label("Secret ID of a token").fill(token)
    page.get_by_label("Secret ID of a token").press("Enter")
    expect(page.get_by_text("Logged in.")).to_be_visible()
    if path:
        page.goto(address(root, path))
    return page


def test_rules_are_checked_as_they_are_typed(root: Manager, tab: Window) -> None:
    page = logged_in(root, tab, path="acls/policies/create")
    rules = page.get_by_label("Rules", exact=True)
    rules.press_sequentially('key "app" {\n policy = "rea')
    expect(page.locator("#check")).to_contain_text("line 2")
    rules.press_sequentially('d"\n}')
    expect(page.locator("#check")).to_contain_text('read: key "app"')
    expect(rules).to_be_focused()
    assert "do=" not in page.url


def test_a_policy_and_a_token_are_made_and_the_token_is_used(root: Manager, tab: Window) -> None:
    page = logged_in(root, tab, path="acls/policies")
    page.get_by_role("link", name="New policy").click()
    page.get_by_label("Name").fill("only-shop")
    page.get_by_label("Rules", exact=True).fill('key_prefix "shop/" { policy = "read" }')
    page.get_by_role("button", name="Create the policy").click()
    expect(page.get_by_text("The policy only-shop is created.")).to_be_visible()
    page.goto(address(root, "acls/tokens"))
    page.get_by_role("link", name="New token").click()
    page.get_by_label("Description").fill("shop reader")
    page.get_by_label("only-shop").check()
    page.get_by_role("button", name="Create the token").click()
    secret = page.locator("code").first.inner_text()
    page.get_by_role("link", name="Continue").click()
    page.get_by_role("link", name="Use", exact=True).click()
    page.get_by_role("button", name="Use the token").click()
    expect(page.get_by_text("Logged in with the token")).to_be_visible()
    page.goto(address(root, "acls/explain?permission=key:write&resource=shop/config"))
    expect(page.get_by_role("heading", name="Denied")).to_be_visible()
    page.goto(address(root, "login"))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("it stays valid")).to_be_visible()
    page.get_by_label("Secret ID of a token").fill(secret)
    page.get_by_role("button", name="Log in").first.click()
    expect(page.get_by_text("Logged in.")).to_be_visible()
    assert page.evaluate("document.cookie") == ""


def test_a_new_token_appears_without_a_reload(root: Manager, tab: Window) -> None:
    page = logged_in(root, tab, path="acls/tokens")
    expect(page.locator("#connection")).to_have_text("● live")
    root.write("/v1/acl/token", {"Description": "made elsewhere"})
    expect(page.get_by_role("link", name="made elsewhere")).to_be_visible()


def test_the_palette_is_used_by_keyboard(root: Manager, tab: Window) -> None:
    page = logged_in(root, tab, path="services")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search services")
    expect(field).to_be_focused()
    page.keyboard.type("shop")
    options = page.locator("#palette [role=option]")
    expect(options.first).to_contain_text("shop-web")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    assert barriers(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).not_to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("shop-web")
    expect(options.first).to_contain_text("shop-web")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="shop-web")).to_be_visible()


def test_enter_waits_for_what_was_typed(root: Manager, tab: Window) -> None:
    """The response to the empty field is held back: Enter must not open the first of its results."""
    page = logged_in(root, tab, path="services")
    held: list[Route] = []
    asked: list[str] = []

    def hold(route: Route) -> None:
        asked.append(route.request.url.partition("?q=")[2])
        if len(asked) == 1:
            held.append(route)
        else:
            route.continue_()

    page.route("**/ui/dc1/search?q=*", hold)
    with page.expect_request("**/ui/dc1/search?q=*"):
        page.keyboard.press("Control+k")
    page.keyboard.type("shop-web")
    page.keyboard.press("Enter")
    held[0].continue_()
    expect(page.get_by_role("heading", name="shop-web")).to_be_visible()
    assert asked == ["", "shop-web"]  # one search at a time, none for the letters between


def test_the_tab_key_passes_the_search(root: Manager, tab: Window) -> None:
    page = logged_in(root, tab, path="services")
    jump = page.get_by_role("searchbox", name="Search services, nodes, keys and pages")
    jump.focus()
    page.keyboard.press("Tab")
    expect(page.locator(".who")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("nav.side a").first).to_be_focused()
    expect(page.locator("#palette")).not_to_be_visible()
    jump.focus()
    page.keyboard.type("shop-web")
    expect(page.get_by_role("combobox", name="Search services")).to_have_value("shop-web")
    expect(page.locator("#palette [role=option]").first).to_contain_text("shop-web")
    page.keyboard.press("Escape")
    expect(jump).to_have_value("")
    expect(jump).to_be_focused()


def test_the_search_works_without_scripts(root: Manager, browser: Browser) -> None:
    with window(browser, scripts=False) as opened:
        page = logged_in(root, opened)
        field = page.get_by_label("Search services, nodes, keys and pages")
        field.fill("shop")
        field.press("Enter")
        page.get_by_role("link", name="shop-web").click()
        expect(page.get_by_role("heading", name="shop-web")).to_be_visible()


PAGES = (
    "acls/tokens",
    "acls/tokens/create",
    "acls/policies",
    "acls/policies/create",
    "acls/roles",
    "acls/roles/create",
    "acls/auth-methods",
    "acls/auth-methods/create",
    "acls/auth-methods/" + "m" * 128,
    "acls/explain?permission=key:read&resource=" + "k" * 300,
    "login",
    "search?q=s",
)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light desktop", "dark phone"])
def test_nothing_overflows_and_all_can_use_it(root: Manager, browser: Browser, dark: bool, phone: bool) -> None:
    with window(browser, dark=dark, phone=phone) as opened:
        page = logged_in(root, opened)
        rows = {path: path for path in PAGES}
        for path in ("tokens", "policies", "roles"):
            page.goto(address(root, f"acls/{path}"))
            link = page.locator("main [data-row] a").nth(1 if path == "tokens" else -1)
            rows[path] = (link.get_attribute("href") or "").removeprefix("/ui/dc1/")
        for path in (*PAGES, rows["tokens"], rows["policies"], rows["roles"], rows["tokens"] + "?do=delete"):
            page.goto(address(root, path))
            assert overflow(page) == [], path
            assert barriers(page) == [], path
