"""Keys of an agent, and their pages, for tests of the web interface."""

from __future__ import annotations

from base64 import b64decode, b64encode
from urllib.parse import quote

from pyconsul.agent.ui.links import Links
from support.agent_process import AgentProcess
from support.page_client import PageClient, Shown

LINKS = Links("/ui/", "dc1")
BINARY = bytes(range(256)) + b"\r\n\r"


def put(agent: AgentProcess, key: str, value: bytes | str) -> int:
    """Write a key with any name; return its index."""
    data = value if isinstance(value, bytes) else value.encode()
    operation = {"Verb": "set", "Key": key, "Value": b64encode(data).decode()}
    index: int = agent.put("/v1/txn", [{"KV": operation}])["Results"][0]["KV"]["ModifyIndex"]
    return index


def stored(agent: AgentProcess, key: str) -> bytes | None:
    rows = agent.put("/v1/txn", [{"KV": {"Verb": "get-or-empty", "Key": key}}])["Results"]
    value: str | None = rows[0]["KV"]["Value"]
    status = agent.request("GET", "/v1/kv/" + quote(key, safe=""))[0]
    if status == 404:
        return None
    return b64decode(value or "")


def page_of(client: PageClient, key: str, word: str = "edit", **params: object) -> Shown:
    return client.open(LINKS.key(key, word, **params))


def field(page: Shown, name: str) -> str:
    return next(one["value"] for one in page.inputs if one.get("name") == name)
