"""The read-only mode: the server carries out no action of any page, except login and logout."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from support.acl_agent import Manager, acl_agent
from support.site_visitor import Visitor

from pyconsul.agent.ui.pages.index import PAGES

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
#: Actions that change nothing but the token of the browser, or nothing at all.
HARMLESS = {"login", "login-jwt", "logout", "check", "explain", "preview"}
NAME = re.compile(r"\(\?P<(\w+)>([^)]*)\)")  # a name in the pattern of a route
ACTIONS = [
    (
        NAME.sub(
            lambda part: part[2].split("|")[0] if part[2].isidentifier() or "|" in part[2] else "x",
            route.pattern.pattern,
        ),
        do,
        action,
    )
    for route in PAGES
    for do, action in route.actions.items()
]


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True, "read_only": True}) as manager:
        manager.write("/v1/agent/service/register", {"Name": "x"})
        manager.write("/v1/kv/x", "1")
        yield manager


@pytest.fixture(scope="module")
def admin(root: Manager) -> Visitor:
    return Visitor(root.agent, ROOT)


def test_the_walk_finds_the_actions() -> None:
    assert {"save", "delete", "maintenance"} <= {do for _, do, _ in ACTIONS}
    assert {do for _, do, action in ACTIONS if action.harmless} <= HARMLESS


@pytest.mark.parametrize(("path", "do", "is_harmless"), [(path, do, action.harmless) for path, do, action in ACTIONS])
def test_no_action_changes_anything(root: Manager, admin: Visitor, path: str, do: str, is_harmless: bool) -> None:
    before = _state(root)
    fields = {"on": "n1/x", "name": "x", "key": "x", "value": "2", "id": "x", "reason": "x"}
    visitor = Visitor(root.agent, ROOT) if do in ("login", "logout") else admin
    sent = visitor.post(f"/ui/dc1/{path}", do, None, **fields)
    if not is_harmless:
        assert sent.status == 403
        assert "read-only" in sent.text
    assert _state(root) == before


def _state(root: Manager) -> list[object]:
    paths = (
        "/v1/kv/?recurse",
        "/v1/acl/policies",
        "/v1/acl/roles",
        "/v1/acl/auth-methods",
        "/v1/agent/services",
        "/v1/event/list",
    )
    return [root.read(path) for path in paths]


def test_login_and_checks_work_and_pages_say_what_they_do_not_do(root: Manager, admin: Visitor) -> None:
    assert "Read-only: this web interface changes nothing." in admin.get("/ui/dc1/services").text
    shown = admin.act("/ui/dc1/acls/policies/create", "check", name="a", rules='key "a" { policy = "read" }')
    assert "These rules can be used." in shown.text
    tokens = admin.get("/ui/dc1/acls/tokens").text
    assert "the web interface is read-only (ui_config.read_only)" in tokens
    assert "it stays valid" in Visitor(root.agent, ROOT).act("/ui/dc1/login", "logout").text
