"""Access control that is off, and the first token, over HTTP."""

from __future__ import annotations

import re

import pytest
from support.agent_process import running_agent
from support.site_visitor import Visitor

PAGES = ("tokens", "tokens/create", "tokens/x", "policies", "policies/create", "policies/x", "roles", "roles/create")
METHODS = ("auth-methods", "auth-methods/create", "auth-methods/x", "auth-methods/x/binding-rules/create", "explain")
SECRET = re.compile(r"<code>([0-9a-f-]{36})</code>")


def test_pages_say_how_access_control_is_turned_on() -> None:
    with running_agent(ui_config={"enabled": True}) as agent:
        visitor = Visitor(agent)
        for page in (*PAGES, *METHODS):
            shown = visitor.get(f"/ui/dc1/acls/{page}")
            assert shown.status == 200, page
            assert "Access control is off" in shown.text
            assert 'default_policy = "deny"' in shown.text
        assert "Access control is off" in visitor.get("/ui/dc1/login").text
        for page, do in (("tokens", "bootstrap"), ("tokens/create", "save"), ("policies/create", "save")):
            assert "ACL support disabled" in visitor.act(f"/ui/dc1/acls/{page}", do).text


@pytest.mark.parametrize("default", ["deny", "allow"])
def test_the_first_token_is_made_and_used(default: str) -> None:
    with running_agent(ui_config={"enabled": True}, acl={"enabled": True, "default_policy": default}) as agent:
        visitor = Visitor(agent)
        for page in (*PAGES, *METHODS):
            shown = visitor.get(f"/ui/dc1/acls/{page}")
            assert "Access control has no token yet" in shown.text, page
        assert "pyconsul acl bootstrap" in shown.text
        question = visitor.get("/ui/dc1/acls/tokens?do=bootstrap")
        assert "Make the first token?" in question.text
        made = visitor.act("/ui/dc1/acls/tokens", "bootstrap")
        (secret,) = SECRET.findall(made.html)
        assert visitor.cookies["pyconsul_token"] == secret
        assert "Bootstrap Token (Global Management) yours" in visitor.get("/ui/dc1/acls/tokens").text
        again = Visitor(agent).act("/ui/dc1/acls/tokens", "bootstrap")
        assert again.status == 403
        assert "ACL bootstrap no longer allowed" in again.text
        assert secret not in agent.log()
