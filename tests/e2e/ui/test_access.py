"""Pages of access control over HTTP, without a browser: list, create, change, clone, delete, explain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.acl_agent import Manager, acl_agent
from support.agent_process import AGAINST
from support.site_visitor import Visitor

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
ACLS = "/ui/dc1/acls"
HOSTILE = "<script>alert(1)</script>\"'&amp; \u202eevil %2F \U0001f600 " + "x" * 300
SECRET = re.compile(r"<code>([0-9a-f-]{36})</code>")
PEOPLE = 'key_prefix "app/" {\n  policy = "read"\n}\nservice "web" {\n  policy = "write"\n}\n'


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as manager:
        yield manager


@pytest.fixture
def admin(root: Manager) -> Visitor:
    return Visitor(root.agent, ROOT)


def policy(root: Manager, name: str, rules: str = PEOPLE) -> dict[str, Any]:
    made: dict[str, Any] = root.write("/v1/acl/policy", {"Name": name, "Rules": rules})
    return made


def token(root: Manager, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = root.write("/v1/acl/token", fields)
    return made


def test_tokens_are_listed_with_what_they_are_linked_to(root: Manager, admin: Visitor) -> None:
    linked = policy(root, "listed")
    services = [{"ServiceName": "api"}]
    made = token(
        root, Description="of the list", Policies=[{"ID": linked["ID"]}], ServiceIdentities=services, ExpirationTTL="5h"
    )
    shown = admin.get(f"{ACLS}/tokens?filter=of+the+list")
    assert shown.status == 200
    assert "of the list " + made["AccessorID"] in shown.text
    assert "policy listed service api global created now expires in 4 h" in shown.text
    assert made["SecretID"] not in shown.html
    every = admin.get(f"{ACLS}/tokens").text
    assert "Initial Management Token yours" in every
    assert "Anonymous Token" in every
    assert "No token matches." in admin.get(f"{ACLS}/tokens?filter=nothing+like+it").text


def test_a_token_is_created_with_everything_that_grants(root: Manager, admin: Visitor) -> None:
    policy(root, "for-a-token")
    root.write("/v1/acl/role", {"Name": "for-a-token", "Policies": [{"Name": "for-a-token"}]})
    shown = admin.act(
        f"{ACLS}/tokens/create",
        "save",
        description="made here",
        policy="for-a-token",
        role__more="for-a-token",
        services="web\r\napi",
        nodes="n1\r\nn2 dc2",
        templates="builtin/service db\r\nbuiltin/dns",
        ttl="2h",
        local="true",
    )
    (secret,) = SECRET.findall(shown.html)
    made = [one for one in root.read("/v1/acl/tokens") if one["SecretID"] == secret]
    assert [one["Name"] for one in made[0]["Policies"]] == ["for-a-token"]
    assert [one["Name"] for one in made[0]["Roles"]] == ["for-a-token"]
    assert made[0]["ServiceIdentities"] == [{"ServiceName": "web"}, {"ServiceName": "api"}]
    assert made[0]["NodeIdentities"] == [
        {"NodeName": "n1", "Datacenter": "dc1"},
        {"NodeName": "n2", "Datacenter": "dc2"},
    ]
    assert [one["TemplateName"] for one in made[0]["TemplatedPolicies"]] == ["builtin/service", "builtin/dns"]
    assert made[0]["Local"] is True
    assert made[0]["ExpirationTime"]
    page = admin.get(f"{ACLS}/tokens/{made[0]['AccessorID']}")
    assert "in 1 h" in page.text
    assert "n2 dc2" in page.html
    assert secret not in page.html


def test_a_mistake_in_a_form_keeps_what_was_typed(admin: Visitor) -> None:
    shown = admin.act(f"{ACLS}/tokens/create", "save", description="half typed", services="web\nweb dc1 dc2")
    assert "line 2: 'web dc1 dc2' is not a service" in shown.text
    assert 'value="half typed"' in shown.html
    shown = admin.act(f"{ACLS}/tokens/create", "save", description="half typed", policy="gone", ttl="2m")
    assert 'No such ACL policy with name "gone"' in shown.text
    assert 'value="gone" checked' in shown.html
    assert 'value="2m"' in shown.html


def test_a_token_is_changed_cloned_shown_used_and_deleted(root: Manager, admin: Visitor) -> None:
    policy(root, "one")
    policy(root, "other")
    made = token(root, Description="life", Policies=[{"Name": "one"}])
    own = f"{ACLS}/tokens/{made['AccessorID']}"
    shown = admin.act(own, "save", description="life goes on", policy=["one", "other"])
    assert "The token is changed." in shown.text
    changed = root.read(f"/v1/acl/token/{made['AccessorID']}")
    assert changed["Description"] == "life goes on"
    assert len(changed["Policies"]) == 2
    assert made["SecretID"] not in shown.html
    assert f"pyconsul acl token read -accessor-id {made['AccessorID']}" in admin.get(own + "?do=secret").text
    assert SECRET.findall(admin.act(own, "secret").html) == [made["SecretID"]]
    (clone,) = SECRET.findall(admin.act(own, "clone", description="copy").html)
    assert clone != made["SecretID"]
    question = admin.get(own + "?do=delete").text
    assert "Its bearers lose what it grants: policy one, policy other." in question
    other = Visitor(root.agent, ROOT)
    shown = other.act(own, "use")
    assert f"Logged in with the token {made['AccessorID']}" in shown.text
    assert other.cookies["pyconsul_token"] == made["SecretID"]
    assert "is deleted" in admin.act(own, "delete").text
    assert admin.get(own).status == 404
    assert other.get("/ui/dc1/services").status == 403


@pytest.mark.skipif(bool(AGAINST), reason="a page knows the services of the agent that shows it only")
def test_services_that_register_with_a_token_are_named(root: Manager, admin: Visitor) -> None:
    made = token(root, Description="registers", ServiceIdentities=[{"ServiceName": "bound"}])
    headers = {"X-Consul-Token": made["SecretID"]}
    assert root.agent.request("PUT", "/v1/agent/service/register", {"Name": "bound"}, headers)[0] == 200
    question = admin.get(f"{ACLS}/tokens/{made['AccessorID']}?do=delete").text
    assert "The agent on n1 registers with it: bound." in question
    root.write("/v1/agent/service/deregister/bound")


def test_a_policy_is_checked_line_by_line(root: Manager, admin: Visitor) -> None:
    wrong = 'key "a" {\r\n  policy = "read"\r\n}\r\nservice "web" {\r\n  policy = "rite"\r\n}'
    shown = admin.act(f"{ACLS}/policies/create", "check", name="checked", rules=wrong)
    assert 'line 5: service "web": "rite" is not a level' in shown.text
    assert "<mark>   5    policy" in shown.html
    assert 'value="checked"' in shown.html
    right = wrong.replace("rite", "write") + '\r\nunknown "x" { policy = "read" }'
    shown = admin.act(f"{ACLS}/policies/create", "check", name="checked", rules=right)
    assert 'They grant: read: key "a" write: service "web"' in shown.text
    assert 'rule "unknown" is not known and gives nothing' in shown.text
    shown = admin.act(f"{ACLS}/policies/create", "save", name="checked", rules=wrong)
    assert shown.status == 400
    assert 'line 5: service "web": "rite" is not a level' in shown.text
    assert 'policy = "rite"' in shown.html.replace("&#34;", '"')
    assert all(one["Name"] != "checked" for one in root.read("/v1/acl/policies"))
    shown = admin.act(f"{ACLS}/policies/create", "save", name="checked", rules=right)
    assert 'The policy checked is created. line 7: rule "unknown" is not known and gives nothing' in shown.text


def test_a_policy_is_created_changed_cloned_and_deleted(root: Manager, admin: Visitor) -> None:
    shown = admin.act(
        f"{ACLS}/policies/create", "save", name="made-here", rules=PEOPLE.replace("\n", "\r\n"), datacenters="dc1, dc2"
    )
    assert "The policy made-here is created." in shown.text
    assert "disabled" not in shown.html
    made = root.read("/v1/acl/policy/name/made-here")
    assert made["Rules"] == PEOPLE
    assert made["Datacenters"] == ["dc1", "dc2"]
    own = f"{ACLS}/policies/{made['ID']}"
    root.write("/v1/acl/role", {"Name": "with-made-here", "Policies": [{"Name": "made-here"}]})
    token(root, Description="direct", Policies=[{"Name": "made-here"}])
    token(root, Description="by role", Roles=[{"Name": "with-made-here"}])
    question = admin.get(own + "?do=delete").text
    assert "1 token loses what it grants: direct." in question
    assert "1 role loses it: with-made-here; through roles it is granted to 1 token." in question
    assert "token by role through a role" in admin.get(own).text
    assert 'value="made-here-copy"' in admin.get(f"{ACLS}/policies/create?copy={made['ID']}").html
    listed = admin.get(f"{ACLS}/policies?filter=made-here").text
    assert 'read: keys that begin with "app/"' in listed
    seen = str(made["ModifyIndex"])
    assert "The policy is changed." in admin.act(own, "save", name="made-here", rules="", seen=seen).text
    again = admin.act(own, "save", name="made-here", rules=PEOPLE, seen=seen)
    assert again.status == 409
    assert "It was changed meanwhile" in again.text
    assert admin.act(own, "delete").status == 200
    assert admin.get(own).status == 404


def test_built_in_policies_stay(root: Manager, admin: Visitor) -> None:
    own = f"{ACLS}/policies/00000000-0000-0000-0000-000000000001"
    shown = admin.get(own)
    assert "This policy is built in" in shown.text
    assert "readonly" in shown.html
    assert admin.act(own, "delete").status >= 400
    assert root.read("/v1/acl/policy/name/global-management")["Name"] == "global-management"


def test_a_role_is_created_changed_and_deleted(root: Manager, admin: Visitor) -> None:
    policy(root, "of-roles")
    assert "The role ops is created." in admin.act(f"{ACLS}/roles/create", "save", name="ops", policy="of-roles").text
    made = root.read("/v1/acl/role/name/ops")
    token(root, Description="an operator", Roles=[{"Name": "ops"}])
    own = f"{ACLS}/roles/{made['ID']}"
    assert "1 token loses what it grants: an operator." in admin.get(own + "?do=delete").text
    assert "policy of-roles 1 token" in admin.get(f"{ACLS}/roles").text
    shown = admin.act(own, "save", name="ops", services="web", seen=str(made["ModifyIndex"]))
    assert "The role is changed." in shown.text
    changed = root.read(f"/v1/acl/role/{made['ID']}")
    assert "Policies" not in changed
    assert changed["ServiceIdentities"] == [{"ServiceName": "web"}]
    assert "is deleted" in admin.act(own, "delete").text


def test_an_auth_method_gets_binding_rules(root: Manager, admin: Visitor) -> None:
    fields = {"name": "sso", "title": "Company", "ttl": "8h", "locality": ""}
    shown = admin.act(f"{ACLS}/auth-methods/create", "save", config='{\n "BoundIssuer" 1}', **fields)
    assert "line 2, column 16" in shown.text
    assert 'value="Company"' in shown.html
    shown = admin.act(f"{ACLS}/auth-methods/create", "save", config='{"JWKSURL": "http://127.0.0.1:1/"}', **fields)
    assert "The auth method sso is created." in shown.text
    assert "No binding rules yet" in shown.text
    assert root.read("/v1/acl/auth-method/sso")["MaxTokenTTL"] == "8h0m0s"
    assert (
        "there is an auth method sso already"
        in admin.act(f"{ACLS}/auth-methods/create", "save", config="{}", **fields).text
    )
    rules = f"{ACLS}/auth-methods/sso/binding-rules"
    shown = admin.act(f"{rules}/create", "save", selector="nonsense ==", bind_type="role", bind_name="ops")
    assert "Selector is invalid" in shown.text
    assert 'value="nonsense =="' in shown.html
    shown = admin.act(f"{rules}/create", "save", selector="", bind_type="service", bind_name="${value.sub}")
    assert "service ${value.sub} all logins" in shown.text
    (made,) = root.read("/v1/acl/binding-rules?authmethod=sso")
    changed = admin.act(f"{rules}/{made['ID']}", "save", bind_type="node", bind_name="n1", selector="")
    assert "The binding rule is changed." in changed.text
    assert "Company sso" in admin.get(f"{ACLS}/auth-methods").text
    assert "is deleted" in admin.act(f"{rules}/{made['ID']}", "delete").text
    assert (
        "Its 0 binding rules and 0 tokens are deleted with it." in admin.get(f"{ACLS}/auth-methods/sso?do=delete").text
    )
    assert "is deleted" in admin.act(f"{ACLS}/auth-methods/sso", "delete").text


def test_a_decision_is_explained(root: Manager, admin: Visitor) -> None:
    policy(root, "app-read")
    made = token(root, Policies=[{"Name": "app-read"}])
    query = f"accessor={made['AccessorID']}&permission=key:write&resource=app/x"
    shown = admin.get(f"{ACLS}/explain?{query}")
    assert 'key:write on "app/x" is denied' in shown.text
    assert 'policy "app-read", line 1' in shown.text
    assert 'key "app/x" { policy = "write" }' in shown.text
    by_secret = admin.act(
        f"{ACLS}/explain", "explain", token=made["SecretID"], permission="service:write", resource="web"
    )
    assert "Allowed" in by_secret.text
    assert made["SecretID"] not in by_secret.html
    assert made["AccessorID"] in by_secret.html
    own = Visitor(root.agent, made["SecretID"])
    assert "Denied" in own.act(f"{ACLS}/explain", "explain", token="", permission="acl:read", resource="").text
    assert "Denied" in own.get(f"{ACLS}/explain?accessor={made['AccessorID']}&permission=acl:read").text
    assert "Denied" in own.act(f"{ACLS}/explain", "explain", token=made["AccessorID"], permission="acl:read").text
    unknown = admin.act(
        f"{ACLS}/explain", "explain", token="00000000-1111-2222-3333-444444444444", permission="acl:read"
    )
    assert "no token has this accessor ID or secret" in unknown.text
    refused = own.get(f"{ACLS}/explain?accessor={ROOT}&permission=acl:read")
    assert refused.status == 403


def test_a_caller_without_rights_reads_which_rule_is_missing(root: Manager) -> None:
    reader = Visitor(root.agent, root.caller('acl = "read"').secret)
    shown = reader.get(f"{ACLS}/tokens")
    assert shown.status == 200
    assert 'needs the rule acl = "write"' in shown.text
    assert ROOT not in shown.html
    assert reader.act(f"{ACLS}/policies/create", "save", name="sneaky", rules="").status == 403
    assert reader.act(f"{ACLS}/policies/create", "check", name="x", rules=PEOPLE).status == 403
    nobody = Visitor(root.agent)
    refused = nobody.get(f"{ACLS}/tokens")
    assert refused.status == 403
    assert 'add this rule to a policy of the present one: acl = "read"' in refused.text
    root_token = next(one for one in root.read("/v1/acl/tokens") if one["SecretID"] == ROOT)["AccessorID"]
    for do in ("secret", "use", "clone", "delete"):
        assert reader.act(f"{ACLS}/tokens/{root_token}", do).status == 403
    assert reader.cookies["pyconsul_token"] != ROOT


def test_hostile_texts_are_shown_as_texts(root: Manager, admin: Visitor) -> None:
    made = token(root, Description=HOSTILE)
    method = {
        "Name": "hostile",
        "Type": "jwt",
        "DisplayName": HOSTILE,
        "Description": HOSTILE,
        "Config": {"JWKSURL": "http://127.0.0.1:1/"},
    }
    root.write("/v1/acl/auth-method", method)
    root.write(
        "/v1/acl/binding-rule",
        {"AuthMethod": "hostile", "BindType": "role", "BindName": HOSTILE, "Description": HOSTILE},
    )
    root.write("/v1/acl/role", {"Name": "hostile", "Description": HOSTILE})
    pages = ["tokens", f"tokens/{made['AccessorID']}", "roles", "auth-methods", "auth-methods/hostile", "policies"]
    for page in [*pages, f"tokens/{made['AccessorID']}?do=delete", "auth-methods/hostile?do=delete"]:
        shown = admin.get(f"{ACLS}/{page}")
        assert shown.status == 200, page
        assert "<script>alert" not in shown.html, page
    assert "<script>alert" not in admin.get("/ui/dc1/login").html
    root.ask("DELETE", "/v1/acl/auth-method/hostile")


@pytest.mark.parametrize(
    "path",
    [
        "tokens/nothing",
        "policies/nothing",
        "roles/nothing",
        "auth-methods/nothing",
        "auth-methods/nothing/binding-rules/x",
    ],
)
def test_what_does_not_exist_has_a_page(admin: Visitor, path: str) -> None:
    shown = admin.get(f"{ACLS}/{path}")
    assert shown.status == 404
    assert "does not exist" in shown.text
