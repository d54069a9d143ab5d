"""The search page over HTTP: what it finds, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from support.acl_agent import Manager, acl_agent
from support.site_visitor import Visitor

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
HOSTILE = "<script>alert(1)</script>&\"'"


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as manager:
        manager.write("/v1/agent/service/register", {"Name": "shop-web"})
        for key in ("shop/config", "shop/secret/password", "a/shop", "100%/%2F"):
            manager.write("/v1/kv/" + key.replace("%", "%25"), "1")
        manager.write("/v1/acl/policy", {"Name": "shop-read", "Rules": ""})
        query = {"Name": "shop-query", "Service": {"Service": "shop-web"}}
        assert manager.ask("POST", "/v1/query", query)[0] == 200
        yield manager


def test_everything_is_found_by_one_field(root: Manager) -> None:
    shown = Visitor(root.agent, ROOT).get("/ui/dc1/search?q=SHOP")
    assert shown.status == 200
    assert shown.links("^/ui/dc1/(services/shop|kv/shop|kv/a|acls/policies/)") != []
    for text in ("shop-web", "shop/config", "shop/secret/password", "a/shop", "shop-read", "shop-query"):
        assert text in shown.text
    (query,) = shown.links("^/ui/dc1/queries/")
    assert Visitor(root.agent, ROOT).get(query).status == 200
    assert shown.text.index("shop/config") < shown.text.index("a/shop")


def test_a_caller_finds_only_what_it_may_see(root: Manager) -> None:
    rules = 'key_prefix "shop/" { policy = "read" } key_prefix "shop/secret/" { policy = "deny" }'
    shown = Visitor(root.agent, root.caller(rules).secret).get("/ui/dc1/search?q=shop")
    assert "shop/config" in shown.text
    for hidden in ("password", "a/shop", "shop-web", "shop-read", "shop-query"):
        assert hidden not in shown.html
    assert "Nothing that you may see" in Visitor(root.agent).get("/ui/dc1/search?q=shop").text


def test_pages_and_actions_are_found(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    every = visitor.get("/ui/dc1/search")
    assert "Key/value page" in every.text
    assert "/ui/dc1/acls/policies/create" in visitor.get("/ui/dc1/search?q=create+policy").html
    assert "/ui/dc1/login" in visitor.get("/ui/dc1/search?q=logout").html
    for text, label in (
        ("maint n1", "Put n1 into maintenance"),
        ("maint shop-web", "Put the service shop-web into maintenance"),
        ("fire", "Fire an event"),
        ("reload", "Reload the agent"),
    ):
        shown = visitor.get("/ui/dc1/search?q=" + quote(text))
        assert label + " action" in shown.text
        (address,) = shown.links("do=")
        assert visitor.get(address).status == 200


@pytest.mark.parametrize("text", [HOSTILE, "%", "x" * 5000, "\u202e", "\0", "a\nb", "..", "%2F"])
def test_any_text_can_be_searched(root: Manager, text: str) -> None:
    shown = Visitor(root.agent, ROOT).get("/ui/dc1/search?q=" + quote(text))
    assert shown.status == 200
    assert "<script>alert" not in shown.html
