"""Keys and values without scripts: what stands on the pages, and that no value is damaged, overwritten or lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.agent_process import AgentProcess, running_agent
from support.key_pages import BINARY, LINKS, field, page_of, put, stored
from support.page_client import PageClient, Shown

ODD = (
    "<script>alert(1)</script>",
    "/leading",
    "a//b",
    "a%2Fb",
    "edit",
    "create",
    "x/edit",
    "x/create",
    "../up",
    "dot/./x",
    "folder/",
    "new\nline",
    "\u202ertl\u202c",
    "q\"'&?#=+ ",
    "😀/é",
    "l" * 400,
)


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(limits={"kv_max_value_size": 4096}) as running:
        yield running


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def test_a_folder_shows_names_sizes_flags_indexes_and_locks(agent: AgentProcess, client: PageClient) -> None:
    index = put(agent, "show/port", "8080")
    put(agent, "show/db/a", "1")
    put(agent, "show/db/b", "2")
    session = agent.put("/v1/session/create", {"Name": "deployer"})["ID"]
    agent.put(f"/v1/kv/show/lock?acquire={session}&flags=42", b"me")
    page = client.show("kv", "show", "")
    assert page.status == 200
    assert page.text.index("db/ 3" if "db/ 3" in page else "db/ 2 keys") < page.text.index(
        "port 4 B flags 0 index " + str(index)
    )
    assert "lock locked 2 B flags 42" in page
    agent.put(f"/v1/session/destroy/{session}")
    assert "locked" not in client.show("kv", "show", "").text.replace("unlocked", "")


def test_a_search_finds_names_and_values_below_a_folder(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "find/a/b", "first\nthe Needle here\n")
    put(agent, "find/needle", "x")
    put(agent, "find/bin", b"\x00needle")
    assert "Nothing matches “b/x” in this folder" in client.show("kv", "find", "", filter="b/x")
    names = client.show("kv", "find", "", filter="NEEDLE", where="below")
    assert names.html.count("data-row") == 1
    both = client.show("kv", "find", "", filter="NEEDLE", where="values")
    assert both.html.count("data-row") == 2
    assert "the Needle here" in both
    assert client.show("kv", "find", "", where="below").html.count("data-row") == 3


@pytest.mark.parametrize("key", ODD)
def test_every_key_is_reached_edited_and_deleted(agent: AgentProcess, client: PageClient, key: str) -> None:
    put(agent, key, "old")
    folder = client.open(LINKS.key(key[: key.rfind("/") + 1]))
    assert LINKS.key(key, "edit") in folder.links
    assert "script" not in folder.elements[folder.elements.index("main") :]
    page = page_of(client, key, edit=1)
    assert page.status == 200
    assert "old" in page
    saved = client.act(page, "save", value="new", flags="7")
    assert saved.status == 200, saved.text
    assert "Saved" in saved, saved.text
    assert stored(agent, key) == b"new"
    history = page_of(client, key, "history")
    assert "new" in history
    assert "old" in history
    assert page_of(client, key, "compare").status == 200
    question = page_of(client, key, do="delete")
    gone = client.act(question, "delete")
    assert f"Deleted {' '.join(key.split())}" in " ".join(gone.text.split())
    assert page_of(client, key).status == 404
    assert "does not exist" in page_of(client, key)


def test_a_binary_value_is_never_damaged(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "bin", BINARY)
    page = page_of(client, "bin", edit=1)
    assert "textarea" not in page.elements
    assert "00 01 02 03" in page_of(client, "bin")
    assert "259 bytes" in page_of(client, "bin")
    assert "Saved" in client.act(page, "save", flags="1")
    assert stored(agent, "bin") == BINARY
    status, headers, body = agent.request("GET", LINKS.key("bin", "edit", download="value"))
    assert (status, body) == (200, BINARY)
    assert "attachment" in headers["content-disposition"]


def test_an_upload_is_stored_byte_for_byte(agent: AgentProcess, client: PageClient) -> None:
    page = page_of(client, "upload", edit=1)
    form = {"form": field(page, "form"), "do": "save", "index": "0", "flags": "0", "value": ""}
    parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), text.encode())
        for name, text in form.items()
    )
    parts += b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + BINARY + b"\r\n--b--\r\n"
    headers = {
        "Content-Type": "multipart/form-data; boundary=b",
        "Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items()),
    }
    assert agent.request("POST", page.address, parts, headers)[0] == 303
    assert stored(agent, "upload") == BINARY


@pytest.mark.parametrize("value", ["a\nb\n", "a\r\nb\r\n", "a\r\nb\n", "\n\na", "a"])
def test_saving_without_an_edit_changes_nothing(agent: AgentProcess, client: PageClient, value: str) -> None:
    put(agent, "same", value)
    typed = value.replace("\r\n", "\n").replace("\n", "\r\n")
    assert "nothing was changed" in client.act(page_of(client, "same", edit=1), "save", value=typed, flags="0")
    assert stored(agent, "same") == value.encode()


def test_a_value_that_is_too_large_is_refused_and_kept_in_the_form(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "large", "x")
    page = client.act(page_of(client, "large", edit=1), "save", value="y" * 5000, flags="3")
    assert page.status == 413
    assert "The value has 5,000 bytes" in page
    assert "4,096" in page
    assert "kv_max_value_size" in page
    assert "y" * 5000 in page
    assert field(page, "flags") == "3"
    assert stored(agent, "large") == b"x"


def test_bad_flags_are_refused(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "flags", "x")
    for flags in ("-1", "x", str(1 << 64)):
        page = client.act(page_of(client, "flags", edit=1), "save", value="typed", flags=flags)
        assert page.status == 400
        assert "typed" in page
    assert "Saved" in client.act(page_of(client, "flags", edit=1), "save", value="typed", flags=str((1 << 64) - 1))


class TestConflicts:
    """The key is written by another client while it is edited."""

    def conflict(self, agent: AgentProcess, client: PageClient, mine: str = "A\nb\nc") -> Shown:
        put(agent, "race", "a\nb\nc")
        page = page_of(client, "race", edit=1)
        put(agent, "race", "a\nb\nC")
        shown = client.act(page, "save", value=mine.replace("\n", "\r\n"), flags="5")
        assert shown.status == 409
        assert stored(agent, "race") == b"a\nb\nC"
        return shown

    def test_both_versions_stand_side_by_side(self, agent: AgentProcess, client: PageClient) -> None:
        page = self.conflict(agent, client)
        assert "changed by somebody else meanwhile" in page
        assert "<del>A</del>" in page.html
        assert "<ins>C</ins>" in page.html
        assert LINKS.key("race", "edit") in page.links  # take theirs

    def test_mine_is_kept_when_wanted(self, agent: AgentProcess, client: PageClient) -> None:
        assert "Saved race." in client.act(self.conflict(agent, client), "save")
        assert stored(agent, "race") == b"A\nb\nc"

    def test_a_third_writer_is_not_overwritten_either(self, agent: AgentProcess, client: PageClient) -> None:
        page = self.conflict(agent, client)
        put(agent, "race", "third")
        again = client.act(page, "save")
        assert again.status == 409
        assert "<ins>third</ins>" in again.html
        assert stored(agent, "race") == b"third"

    def test_both_are_edited_together(self, agent: AgentProcess, client: PageClient) -> None:
        editor = client.act(self.conflict(agent, client), "together")
        assert "they do not overlap" in editor
        assert "A\nb\nC" in editor.html
        assert field(editor, "flags") == "5"
        assert "Saved race." in client.act(editor, "save", value="A\r\nb\r\nC", flags="5")
        assert stored(agent, "race") == b"A\nb\nC"

    def test_changes_of_one_place_are_marked(self, agent: AgentProcess, client: PageClient) -> None:
        editor = client.act(self.conflict(agent, client, "a\nb\nmine"), "together")
        assert "One place was changed by both" in editor
        assert "yours\nmine\n=======\nC\n" in editor.html

    def test_a_deleted_key_is_not_created_silently(self, agent: AgentProcess, client: PageClient) -> None:
        put(agent, "race", "x")
        page = page_of(client, "race", edit=1)
        agent.request("DELETE", "/v1/kv/race")
        shown = client.act(page, "save", value="mine", flags="0")
        assert shown.status == 409
        assert "was deleted meanwhile" in shown
        assert stored(agent, "race") is None
        client.act(shown, "save")
        assert stored(agent, "race") == b"mine"

    def test_a_key_that_was_created_meanwhile_is_shown(self, agent: AgentProcess, client: PageClient) -> None:
        page = client.show("kv", "create")
        put(agent, "race/new", "theirs")
        shown = client.act(page, "create", name="race/new", value="mine", flags="0")
        assert shown.status == 409
        assert "was created by somebody else" in shown
        assert stored(agent, "race/new") == b"theirs"
        client.act(replace(shown, address=LINKS.key("race/new", "edit")), "save")
        assert stored(agent, "race/new") == b"mine"

    def test_a_changed_key_is_not_deleted(self, agent: AgentProcess, client: PageClient) -> None:
        put(agent, "race", "x")
        question = page_of(client, "race", do="delete")
        put(agent, "race", "y")
        refused = client.act(question, "delete")
        assert refused.status == 409
        assert "It has changed" in refused
        assert stored(agent, "race") == b"y"


def test_a_folder_is_created_by_a_slash(agent: AgentProcess, client: PageClient) -> None:
    page = client.act(client.show("kv", "made", "create"), "create", name="made/empty/", value="", flags="0")
    assert "Created the folder made/empty/." in page
    assert stored(agent, "made/empty/") == b""
    assert field(client.show("kv", "made", "create"), "name") == "made/"


def test_the_syntax_of_a_text_is_checked_but_saved_anyhow(agent: AgentProcess, client: PageClient) -> None:
    page = page_of(client, "conf/a.json", edit=1)
    verdict = json.loads(client.act(page, "check", value='{\r\n"a": }', syntax="").html)
    assert verdict["right"] is False
    assert (verdict["line"], verdict["column"]) == (2, 6)
    assert json.loads(client.act(page, "check", value="a: [1]", syntax="yaml").html)["right"] is True
    assert json.loads(client.act(page, "check", value="a: [", syntax="none").html) == {}
    saved = client.act(page, "save", value="{", flags="0", syntax="")
    assert "Saved conf/a.json." in saved
    assert "JSON:" in saved
    assert stored(agent, "conf/a.json") == b"{"


def test_the_holder_of_a_lock_is_shown_and_ended(agent: AgentProcess, client: PageClient) -> None:
    session = agent.put("/v1/session/create", {"Name": "deployer", "LockDelay": "0s"})["ID"]
    agent.put(f"/v1/kv/held?acquire={session}", b"me")
    page = page_of(client, "held")
    assert "“deployer” of n1" in page
    assert LINKS.to("sessions", filter=session) in page.links
    question = page_of(client, "held", do="invalidate", session=session)
    assert "1 lock" in question
    client.act(question, "invalidate")
    assert "Session" not in agent.get("/v1/kv/held")[0]


def test_a_page_without_keys_says_what_to_do(client: PageClient) -> None:
    assert "pyconsul kv put nothing/here/name value" in client.show("kv", "nothing", "here", "")


def test_what_the_token_may_not_do_is_disabled() -> None:
    secret = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    acl: dict[str, Any] = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": secret}}
    with running_agent(acl=acl) as agent:
        token = {"X-Consul-Token": secret}
        for key in ("mine/a", "other/a"):
            agent.request("PUT", f"/v1/kv/{key}", b"x", token)
        policy = {"Name": "read", "Rules": 'key_prefix "mine/" { policy = "read" }'}
        agent.request("PUT", "/v1/acl/policy", policy, token)
        body = agent.request("PUT", "/v1/acl/token", {"Policies": [{"Name": "read"}]}, token)[2]
        reader = PageClient(agent, json.loads(body)["SecretID"])
        listed = reader.show("kv")
        assert "mine/" in listed
        assert "other/" not in listed
        page = page_of(reader, "mine/a")
        assert 'needs the rule key "mine/a" { policy = "write" }' in page
        refused = reader.act(page_of(reader, "mine/a", edit=1), "save", value="y", flags="0")
        assert refused.status == 403
        assert page_of(reader, "other/a").status == 403
        assert agent.request("GET", "/v1/kv/mine/a?raw", None, token)[2] == b"x"
