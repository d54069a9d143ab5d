"""Every page, found by following links as a browser without scripts does: safe with hostile names, readable, open to everybody."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urldefrag

import pytest
from playwright.sync_api import Browser, expect
from support.agent_process import AgentProcess
from support.browser import barriers, overflow, window
from support.hostile_catalog import MARKUP, ROOT, hostile_agent

from pyconsul.agent.ui.browser import TOKEN
from pyconsul.agent.ui.pages.index import PAGES

LINK = re.compile(r'(?:href|action)="([^"]*)"')
MESH = ("/intentions", "/routing", "/topology", "/upstreams")
SAME = 6  # pages of one kind, with one question, that are opened
COOKIE = {"Cookie": f"{TOKEN}={ROOT}"}
LOOKS = {"light": (False, False), "dark phone": (True, True)}


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with hostile_agent() as running:
        yield running


def kind_of(address: str) -> tuple[int, str]:
    """Return which page an address leads to, and the question that it asks."""
    path, _, query = address.partition("?")
    below = path.removeprefix("/ui/dc1").removeprefix("/")
    for number, route in enumerate(PAGES):
        if route.match(below if below.startswith("kv/") else below.rstrip("/")) is not None:
            asked = re.search(r"(?:^|&)do=([^&]*)", query)
            return number, asked[1] if asked else ""
    return -1, ""


@pytest.fixture(scope="module")
def pages(agent: AgentProcess) -> dict[str, tuple[int, str]]:
    """Every page that links lead to, by address: its status and text."""
    found: dict[str, tuple[int, str]] = {}
    opened: dict[tuple[int, str], int] = {}
    waiting = ["/ui/", "/ui/dc1/login"]
    while waiting:
        address = waiting.pop(0)
        kind = kind_of(address)
        if address in found or opened.get(kind, 0) >= SAME or "/static/" in address or "download=" in address:
            continue
        opened[kind] = opened.get(kind, 0) + 1
        status, headers, body = agent.request("GET", address, headers=COOKIE)
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert (headers["x-frame-options"], headers["referrer-policy"]) == ("DENY", "same-origin")
        found[address] = status, body.decode()
        for link in LINK.findall(body.decode()):
            target = urldefrag(html.unescape(link)).url
            if target.startswith("/ui/"):
                waiting.append(target)
    return found


def test_links_lead_to_pages(pages: dict[str, tuple[int, str]]) -> None:
    broken = {address: text for address, (status, text) in pages.items() if status != 200}
    assert list(broken) == []


def test_links_lead_to_every_page(pages: dict[str, tuple[int, str]]) -> None:
    reached = {PAGES[number].show for number, _ in map(kind_of, pages) if number >= 0}
    # Several addresses of Consul's lead to the same page; those of the mesh say that there is none.
    hidden = [route.pattern.pattern for route in PAGES if route.show not in reached]
    assert [pattern for pattern in hidden if not pattern.endswith(MESH)] == []


def test_names_are_never_markup(pages: dict[str, tuple[int, str]]) -> None:
    assert [address for address, (_, text) in pages.items() if any(markup in text for markup in MARKUP)] == []
    assert sum("&lt;script&gt;alert(1)" in text for _, text in pages.values()) > 10


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits_and_keeps_nobody_out(
    agent: AgentProcess, pages: dict[str, tuple[int, str]], browser: Browser, look: str
) -> None:
    dark, phone = LOOKS[look]
    one_of_each = {kind_of(address): address for address in pages}
    wrong: list[str] = []
    with window(browser, dark=dark, phone=phone) as opened:
        opened.context.add_cookies([{"name": TOKEN, "value": ROOT, "url": f"http://{agent.address}/ui/"}])
        page = opened.open(f"http://{agent.address}/ui/")
        for address in one_of_each.values():
            page.goto(f"http://{agent.address}{address}")
            expect(page.locator("html.scripts")).to_have_count(1)
            wrong += [f"{address}: {one}" for one in (*overflow(page), *barriers(page))]
    assert wrong == []
