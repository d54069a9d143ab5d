"""Keys and values in a browser: unsaved text survives, mistakes are seen while one types, and folders are live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.agent_process import AgentProcess, running_agent
from support.browser import Window, barriers, overflow, window
from support.key_pages import BINARY, LINKS, put, stored

HOSTILE = ("<script>alert(1)</script>", "q\"'&?#= ", "../up", "/lead", "a//b", "\u202ertl\u202c", "😀/é", "l" * 300)


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as running:
        put(running, "app/port", "8080\nold")
        put(running, "app/port", "8081\nnew")
        put(running, "app/blob", BINARY)
        for key in HOSTILE:
            put(running, key, key * 3)
        session = running.put("/v1/session/create", {"Name": "<b>deployer</b>"})["ID"]
        running.put(f"/v1/kv/app/lock?acquire={session}", b"me")
        yield running


def address(agent: AgentProcess, path: str) -> str:
    return f"http://{agent.address}{path}"


def test_text_survives_while_somebody_else_writes_and_both_are_joined(agent: AgentProcess, tab: Window) -> None:
    put(agent, "race/it", "a\nb\nc\n")
    page = tab.open(address(agent, LINKS.key("race/it", "edit")))
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.locator("#connection")).to_have_text("● live")
    banner = page.get_by_text("This key was changed while you edit it")
    expect(banner).to_be_hidden()
    page.get_by_label("Value", exact=True).fill("A\nb\nc\n")
    put(agent, "race/it", "a\nb\nC\n")
    expect(banner).to_be_visible()
    expect(page.get_by_label("Value", exact=True)).to_have_value("A\nb\nc\n")
    agent.request("DELETE", "/v1/kv/race/it")
    expect(page.get_by_text("This key was deleted while you edit it")).to_be_visible()
    expect(page.get_by_label("Value", exact=True)).to_have_value("A\nb\nc\n")
    put(agent, "race/it", "a\nb\nC\n")
    page.get_by_role("button", name="Save race/it").click()
    expect(page.locator("del", has_text="A")).to_be_visible()
    expect(page.locator("ins", has_text="C")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Edit together").click()
    page.get_by_role("button", name="Save race/it").click()
    expect(page.get_by_text("Saved race/it.")).to_be_visible()
    assert stored(agent, "race/it") == b"A\nb\nC\n"


def test_a_mistake_is_seen_while_one_types_and_can_be_saved(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(address(agent, LINKS.folder("conf/", "create")))
    page.get_by_label("Key", exact=True).fill("conf/a.json")
    page.get_by_label("Value", exact=True).fill('{"a": 1,\n "b": }')
    expect(page.locator("#syntax-said")).to_have_text("JSON: Expecting value at line 2, column 7")
    page.get_by_label("Value", exact=True).fill('{"a": 1}')
    expect(page.locator("#syntax-said")).to_have_text("JSON: no mistakes")
    page.get_by_label("Syntax").select_option("hcl")
    expect(page.locator("#syntax-said")).to_contain_text("HCL:")
    page.get_by_label("Value", exact=True).fill("{")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_text("Created the key conf/a.json.")).to_be_visible()
    assert stored(agent, "conf/a.json") == b"{"


def test_a_folder_is_live(agent: AgentProcess, tab: Window) -> None:
    page = tab.open(address(agent, LINKS.key("live/")))
    expect(page.locator("#connection")).to_have_text("● live")
    put(agent, "live/fresh", "x")
    expect(page.get_by_role("link", name="fresh")).to_be_visible()
    session = agent.put("/v1/session/create", {"Name": "s"})["ID"]
    agent.put(f"/v1/kv/live/fresh?acquire={session}", b"12345")
    expect(page.get_by_role("row", name="fresh locked 5 B")).to_be_visible()


def test_a_file_is_uploaded_byte_for_byte_and_the_key_deleted(agent: AgentProcess, tab: Window, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BINARY[::-1])
    put(agent, "up/bin", BINARY)
    page = tab.open(address(agent, LINKS.key("up/bin", "edit", edit=1)))
    page.get_by_label("New value from a file").set_input_files(tmp_path / "file")
    page.get_by_role("button", name="Save up/bin").click()
    expect(page.get_by_text("Saved up/bin.")).to_be_visible()
    assert stored(agent, "up/bin") == BINARY[::-1]
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete up/bin").click()
    expect(page.get_by_text("Deleted up/bin.")).to_be_visible()
    assert stored(agent, "up/bin") is None


@pytest.mark.parametrize("small", [False, True], ids=["desktop-light", "phone-dark"])
def test_nothing_overflows_and_nobody_is_kept_out(agent: AgentProcess, browser: Browser, small: bool) -> None:
    pages = [
        LINKS.key(""),
        LINKS.key("app/lock", "edit"),
        LINKS.key("app/blob", "edit"),
        LINKS.key(HOSTILE[0], "edit"),
        LINKS.key("app/port", "edit", edit=1),
        LINKS.key("app/port", "history"),
        LINKS.key("app/port", "compare"),
        LINKS.key("l" * 300, "edit"),
        LINKS.folder("", "changes"),
        LINKS.folder("app/", "transfer", to="new/"),
        LINKS.folder("app/", "import"),
        LINKS.key("app/port", "move"),
    ]
    with window(browser, dark=small, phone=small) as opened:
        for number, path in enumerate(pages):
            page = opened.open(address(agent, path))
            assert overflow(page) == [], path
            if number % 2 == small:  # each page once
                assert barriers(page) == [], path
            page.close()
