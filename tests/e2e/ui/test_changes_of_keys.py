"""Changes of keys without scripts: history, rollback, moving, deleting, export and import, each with a preview."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from support.agent_process import AgentProcess, running_agent
from support.key_pages import BINARY, LINKS, field, page_of, put, stored
from support.page_client import PageClient


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(limits={"kv_max_value_size": 4096}) as running:
        yield running


@pytest.fixture
def client(agent: AgentProcess) -> PageClient:
    return PageClient(agent)


def test_history_difference_and_rollback(agent: AgentProcess, client: PageClient) -> None:
    first = put(agent, "past/key", "one\ntwo")
    second = put(agent, "past/key", "one\nTWO")
    agent.request("DELETE", "/v1/kv/past/key")
    page = page_of(client, "past/key", "history")
    assert page.text.index("(deleted)") < page.text.index(str(second)) or "(deleted)" in page
    compared = page_of(client, "past/key", "compare", **{"from": first, "to": second})
    assert "<del>two</del>" in compared.html
    assert "<ins>TWO</ins>" in compared.html
    question = page_of(client, "past/key", "history", do="rollback", version=first)
    assert "it does not exist now" in question
    assert f"pyconsul kv rollback -apply past/key@{first}" in question
    assert "Rolled past/key back" in client.act(question, "rollback")
    assert stored(agent, "past/key") == b"one\ntwo"
    question = page_of(client, "past/key", "history", do="rollback", version=second)
    put(agent, "past/key", "other")
    refused = client.act(question, "rollback")
    assert refused.status == 409
    assert stored(agent, "past/key") == b"other"
    body = agent.request("GET", LINKS.key("past/key", "history", download="value", version=second))[2]
    assert body == b"one\nTWO"


def test_a_tree_is_rolled_back_with_a_preview(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "tree/a", "1")
    index = put(agent, "tree/b", "1")
    put(agent, "tree/a", "2")
    put(agent, "tree/c", "new")
    agent.request("DELETE", "/v1/kv/tree/b")
    assert "tree/c" in client.show("kv", "tree", "changes")
    preview = client.show("kv", "tree", "changes", at=str(index))
    for line in (
        "~ tree/a",
        "+ tree/b",
        "- tree/c",
        "1 to create, 1 to change, 1 to delete",
        "All of this is done at once, or nothing.",
    ):
        assert line in preview
    done = client.act(preview, "rollback")
    assert "1 created, 1 changed, 1 deleted" in done.text.lower()
    assert [stored(agent, f"tree/{name}") for name in "abc"] == [b"1", b"1", None]


def test_a_tree_is_moved_copied_and_deleted_with_a_preview(agent: AgentProcess, client: PageClient) -> None:
    for name in ("x", "y/z"):
        put(agent, f"from/{name}", name)
    put(agent, "to/x", "old")
    assert "Move or copy from/2" in client.show("kv", "from", "transfer")
    preview = client.show("kv", "from", "transfer", to="to", kind="move")
    for line in (
        "~ to/x",
        "+ to/y/z",
        "- from/x",
        "- from/y/z",
        "1 key at the target will be overwritten",
        "pyconsul kv move -apply from/ to",
    ):
        assert line in preview
    put(agent, "to/x", "newer")
    assert "have changed since the preview" in client.act(preview, "apply")
    assert stored(agent, "from/x") == b"x"
    client.act(client.show("kv", "from", "transfer", to="to", kind="move"), "apply")
    assert (stored(agent, "from/x"), stored(agent, "to/x"), stored(agent, "to/y/z")) == (None, b"x", b"y/z")
    copied = client.show("kv", "to", "transfer", to="copy/", kind="copy")
    assert "pyconsul kv copy -apply to/ copy/" in copied
    client.act(copied, "apply")
    assert (stored(agent, "to/x"), stored(agent, "copy/x")) == (b"x", b"x")
    gone = client.show("kv", "to", "transfer", kind="delete")
    assert "Delete 2 keys below to/" in gone
    assert "pyconsul kv delete -recurse to/" in gone
    client.act(gone, "apply")
    assert client.show("kv", "to", "").html.count("data-row") == 0
    assert stored(agent, "copy/x") == b"x"


def test_a_key_is_renamed(agent: AgentProcess, client: PageClient) -> None:
    put(agent, "old name", BINARY)
    preview = page_of(client, "old name", "move", to="new/name", kind="move")
    assert "pyconsul kv move -apply 'old name' new/name" in preview
    client.act(preview, "apply")
    assert (stored(agent, "old name"), stored(agent, "new/name")) == (None, BINARY)
    assert "the old one" in page_of(client, "new/name", "move", to="new/name", kind="move")


def test_several_transactions_are_announced(agent: AgentProcess, client: PageClient) -> None:
    for start in (0, 50):
        agent.put(
            "/v1/txn", [{"KV": {"Verb": "set", "Key": f"many/{n:03}", "Value": ""}} for n in range(start, start + 50)]
        )
    preview = client.show("kv", "many", "transfer", kind="delete")
    assert "they are made in 2" in preview
    assert "100 deleted in 2 transactions." in client.act(preview, "apply")


def test_a_large_tree_is_deleted_in_one_operation(agent: AgentProcess, client: PageClient) -> None:
    for start in range(0, 2100, 100):
        numbers = range(start, start + 100)
        agent.put("/v1/txn", [{"KV": {"Verb": "set", "Key": f"large/{n:04}", "Value": ""}} for n in numbers])
    put(agent, "large.not", "stays")
    refused = client.show("kv", "large", "transfer", to="other/")
    assert refused.status == 400
    assert "The limit" in refused or "more than 2,000 keys" in refused
    assert "pyconsul kv move -apply large/ other/" in refused
    preview = client.show("kv", "large", "transfer", kind="delete")
    assert "2,100 to delete" in preview
    assert "- large/0000" in preview
    put(agent, "large/more", "x")
    assert client.act(preview, "apply").status == 409
    assert "2,101 deleted." in client.act(client.show("kv", "large", "transfer", kind="delete"), "apply")
    assert stored(agent, "large/0000") is None
    assert stored(agent, "large.not") == b"stays"


def test_an_export_is_that_of_the_command_line_and_is_imported(
    agent: AgentProcess, client: PageClient, tmp_path: Path
) -> None:
    put(agent, "out/<a>", BINARY)
    put(agent, "out/é/b", "text")
    exported = agent.request("GET", LINKS.key("out/", download="export"))[2]
    program = str(Path(sys.executable).parent / "pyconsul")
    words = [program, "kv", "export", "-http-addr", agent.address, "out/"]
    assert exported == subprocess.run(words, capture_output=True, check=True).stdout
    put(agent, "out/é/b", "other")
    agent.request("DELETE", "/v1/kv/out/" + quote("<a>"))
    put(agent, "out/new", "stays")
    preview = client.act(client.show("kv", "out", "import"), "preview", text=exported.decode(), prefix="")
    assert "1 to create, 1 to change" in preview
    page = client.act(preview, "import")
    assert "1 created, 1 changed" in page.text.lower()
    assert (stored(agent, "out/<a>"), stored(agent, "out/é/b"), stored(agent, "out/new")) == (BINARY, b"text", b"stays")
    again = client.act(client.show("kv", "import"), "preview", text=exported.decode(), prefix="")
    assert "Nothing changes; 2 keys unchanged" in again
    bad = client.act(client.show("kv", "import"), "preview", text="[{}]", prefix="p/")
    assert "Entry 1 has no key" in bad
    assert field(bad, "prefix") == "p/"
