"""The pure parts of the pages of access control: fields of grants, the check of rules, who loses access."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.model.acl import (
    AuthMethod,
    BindingRule,
    Grants,
    NodeIdentity,
    Policy,
    Role,
    ServiceIdentity,
    TemplatedPolicy,
    Token,
)
from pyconsul.agent.state.acl import auth, policies, roles, tokens
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.ui.contract import Refused
from pyconsul.agent.ui.pages.access import usage
from pyconsul.agent.ui.pages.access.grant_fields import GrantFields, body_of, choices, of_grants
from pyconsul.agent.ui.pages.access.rule_check import check_rules
from pyconsul.agent.ui.shown import ago
from pyconsul.agent.ui.visit import rule_advice


@pytest.fixture
def store() -> Store:
    store = Store()
    txn = WriteTxn(store)
    txn.begin(1, 100.0)
    policies.put(txn, Policy(id="p1", name="read-app"))
    roles.put(txn, Role(id="r1", name="ops", grants=Grants(policies=("p1",))))
    tokens.put(txn, Token(accessor_id="t1", secret_id="s1", description="direct", grants=Grants(policies=("p1",))))
    tokens.put(txn, Token(accessor_id="t2", secret_id="s2", grants=Grants(roles=("r1",))))
    tokens.put(txn, Token(accessor_id="t3", secret_id="s3", grants=Grants(roles=("r1",)), expires=150.0))
    auth.put_method(txn, AuthMethod(name="sso", type="jwt"))
    rule = BindingRule(id="b1", auth_method="sso", bind_type="policy", bind_name="Read-App")
    auth.put_rule(txn, rule, new=True)
    store.install(txn.finish())
    return store


def test_fields_show_grants_and_become_the_same_again(store: Store) -> None:
    grants = Grants(
        policies=("p1", "deleted"),
        roles=("r1",),
        service_identities=(ServiceIdentity("web"), ServiceIdentity("db", ("dc1", "dc2"))),
        node_identities=(NodeIdentity("n1", "dc2"),),
        templated_policies=(TemplatedPolicy("id", "builtin/service", "api"), TemplatedPolicy("id", "builtin/dns")),
    )
    fields = of_grants(store, grants)
    assert fields == GrantFields(
        ("read-app",), ("ops",), "web\ndb dc1,dc2", "n1 dc2", "builtin/service api\nbuiltin/dns"
    )
    assert body_of(fields, "dc1") == {
        "Policies": [{"Name": "read-app"}],
        "Roles": [{"Name": "ops"}],
        "ServiceIdentities": [
            {"ServiceName": "web", "Datacenters": []},
            {"ServiceName": "db", "Datacenters": ["dc1", "dc2"]},
        ],
        "NodeIdentities": [{"NodeName": "n1", "Datacenter": "dc2"}],
        "TemplatedPolicies": [
            {"TemplateName": "builtin/service", "TemplateVariables": {"Name": "api"}, "Datacenters": []},
            {"TemplateName": "builtin/dns", "Datacenters": []},
        ],
    }


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        (GrantFields(services="web\n\nweb dc1 dc2"), "services", "line 3"),
        (GrantFields(nodes="n1 dc1 x"), "nodes", "line 1"),
        (GrantFields(templates="a b c d"), "templates", "is not a template"),
    ],
)
def test_a_mistake_names_its_field_and_line(fields: GrantFields, field: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        body_of(fields, "dc1")
    assert text in refused.value.fields[field]


def test_a_form_offers_a_bounded_number_of_names_the_chosen_first() -> None:
    offered = choices([f"p{number}" for number in range(500)], ("p499", "gone"))
    assert offered[:3] == ["p499", "gone", "p0"]
    assert len(offered) == 100


@pytest.mark.parametrize(
    ("rules", "line", "text"),
    [
        ('key "a" {\n  policy = "rite"\n}', 2, 'key "a": "rite" is not a level; allowed are read, list, write or deny'),
        (
            '# x\nnode_prefix "" { policy = "list" }',
            2,
            'node_prefix "": "list" is not a level; allowed are read, write or deny',
        ),
        ('acl = "x"', 1, 'acl: "x" is not a level; allowed are read, write or deny'),
        ('service "s" {\n policy = "read"\n intentions = "x"\n}', 3, 'service "s": intentions "x" is not a level'),
        ('acl = "read"\nkey "a" {\n', 3, "expected closing"),
        ('{"key": {"a": {"policy": "read"}},,}', 1, "At 1:"),
        ('acl = "read"\nacl = "write"', 2, "already set"),
    ],
)
def test_the_line_of_an_error_is_named(rules: str, line: int, text: str) -> None:
    found = check_rules(rules)
    assert text in found.error
    assert found.line == line
    assert found.reason.startswith(f"line {line}: ")


def test_right_rules_are_shown_in_words() -> None:
    found = check_rules(
        'key_prefix "a/" { policy = "list" }\n'
        'query_prefix "" { policy = "read" }\nnode "n1" { policy = "deny" }\nacl = "read"'
    )
    assert not found.error
    assert set(found.grants) == {'list: keys that begin with "a/"', "read: all queries", 'deny: node "n1"', "read: acl"}
    assert check_rules("").grants == ()
    assert "keey" in check_rules('keey "a" { policy = "read" }').hints[0]


@given(st.text(max_size=60))
def test_any_text_can_be_checked(text: str) -> None:
    found = check_rules(text)
    assert bool(found.error) or found.grants is not None


def test_what_a_policy_and_a_role_grant_to_whom(store: Store) -> None:
    found = usage.of_policy(store, "p1", "read-app", 200.0)
    assert [token.accessor_id for token in found.tokens] == ["t1"]
    assert [token.accessor_id for token in found.through_roles] == ["t2"]  # t3 has expired
    assert [rule.id for rule in found.rules] == ["b1"]
    assert found.sentences() == (
        "1 token loses what it grants: direct.",
        "1 role loses it: ops; through roles it is granted to 1 token.",
        "1 binding rule of logins grants nothing then.",
    )
    assert len(usage.of_role(store, "r1", "ops", 100.0).tokens) == 2
    assert usage.of_role(store, "r9", "none", 100.0).sentences() == ("No token and no role uses it.",)


def test_a_refusal_names_the_rule_as_it_is_written() -> None:
    text = "Permission denied: token with AccessorID 'x' lacks permission 'key:write' on \"a/b\""
    assert rule_advice(text).endswith('key "a/b" { policy = "write" }')
    assert rule_advice("… lacks permission 'acl:read'").endswith('acl = "read"')
    assert rule_advice("Permission denied") == "Log in with a token that has this permission."


def test_times_to_come() -> None:
    assert ago(100.0, 160.0) == "1 min ago"
    assert ago(7300.0, 100.0) == "in 2 h"
    assert ago(100.2, 100.0) == "now"
