"""Decisions: the compiled authorizer against the plainest one, and against its own explanations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, DecisionBudget, PermissionDenied
from pyconsul.agent.acl.explain import explain
from pyconsul.agent.acl.parse import parse_rules
from pyconsul.agent.acl.rules import CASELESS, DENY, LIST, NAMED, READ, SINGLE, WRITE, Rule, parse_permission
from pyconsul.agent.model.acl import ANONYMOUS_ID

NAME = st.text(st.sampled_from("aAb/"), max_size=5)
LEVEL = st.sampled_from([DENY, READ, LIST, WRITE])
NAMED_RULE = st.builds(Rule, st.sampled_from(NAMED), NAME, st.booleans(), LEVEL)
SINGLE_RULE = st.builds(Rule, st.sampled_from(SINGLE), st.just(""), st.just(False), LEVEL)
RULES = st.lists(NAMED_RULE | SINGLE_RULE, max_size=25)
RANK = {DENY: 4, WRITE: 3, LIST: 2, READ: 1}


def authorizer(*rules: Rule, default_allow: bool = False, accessor: str = "a") -> Authorizer:
    return Authorizer(accessor, CompiledPolicies(rules), default_allow)


def from_text(text: str, default_allow: bool = False) -> Authorizer:
    return authorizer(*parse_rules(text), default_allow=default_allow)


def naive(rules: list[Rule], kind: str, name: str, default_allow: bool) -> int:
    """Return where the store compares names without case: the lesser of what the rules give with and without case."""
    level = with_case(rules, kind, name, default_allow)
    if kind not in CASELESS:
        return level
    lowered = [replace(rule, name=rule.name.lower()) for rule in rules]
    return min(level, with_case(lowered, kind, name.lower(), default_allow))


def with_case(rules: list[Rule], kind: str, name: str, default_allow: bool) -> int:
    """Return the rule for the name, or the one with the longest prefix; of equal ones deny, then the highest."""
    exact = [rule for rule in rules if rule.kind == kind and not rule.prefix and rule.name == name]
    fitting = [rule for rule in rules if rule.kind == kind and rule.prefix and name.startswith(rule.name)]
    longest = max((len(rule.name) for rule in fitting), default=0)
    found = exact or [rule for rule in fitting if len(rule.name) == longest]
    if not found and kind in ("mesh", "peering"):
        return with_case(rules, "operator", name, default_allow)
    if not found:
        return WRITE if default_allow and kind != "acl" else DENY
    return max(found, key=lambda rule: RANK[rule.level]).level


@given(RULES, st.booleans(), st.lists(NAME, min_size=1, max_size=8))
def test_it_decides_as_the_plainest_one(rules: list[Rule], default_allow: bool, names: list[str]) -> None:
    made = authorizer(*rules, default_allow=default_allow)
    for kind in NAMED + SINGLE:
        for name in names * 2:  # the second time from memory
            asked = "" if kind in SINGLE else name
            expected = naive(rules, kind, asked, default_allow)
            assert made.level(kind, asked) == expected
            for wanted in (READ, LIST, WRITE):
                assert made.allows(kind, wanted, asked) == (expected >= wanted)
                decision = explain(made, kind, wanted, asked)
                assert decision.allowed == (expected >= wanted)
                assert decision.words()


@given(RULES, st.booleans(), NAME, st.lists(NAME, max_size=10))
def test_a_tree_may_be_written_only_if_all_below_may(
    rules: list[Rule], default_allow: bool, prefix: str, tails: list[str]
) -> None:
    made = authorizer(*rules, default_allow=default_allow)
    if made.allows_tree(prefix):
        assert all(made.allows("key", WRITE, prefix + tail) for tail in tails)


@given(RULES, NAME, st.sampled_from(NAMED), st.sampled_from([READ, WRITE]))
def test_the_needed_rule_is_enough(rules: list[Rule], name: str, kind: str, wanted: int) -> None:
    decision = explain(authorizer(*rules), kind, wanted, name)
    if decision.needed:
        added = parse_rules(decision.needed)
        assert authorizer(*rules, *added).allows(kind, wanted, name)
    elif not decision.allowed:
        assert decision.obstacle is not None
        assert decision.obstacle.level == DENY


def test_exact_before_prefix_and_long_before_short() -> None:
    made = from_text(
        'key_prefix "app/" { policy = "write" }\nkey_prefix "app/no/" { policy = "deny" }\nkey "app/no/ok" { policy = "read" }'
    )
    assert [made.level("key", name) for name in ("app/x", "app/no/x", "app/no/ok", "other")] == [
        WRITE,
        DENY,
        READ,
        DENY,
    ]
    assert not made.allows_tree("app/")
    assert not made.allows_tree("app/no/")
    assert made.allows_tree("app/x")


def test_another_spelling_gives_no_more_where_the_store_compares_without_case() -> None:
    made = from_text(
        """node_prefix "" { policy = "write" }
        node "SecNode" { policy = "deny" }
        service "Web" { policy = "write" }
        key_prefix "" { policy = "write" }
        key "Sec" { policy = "deny" }"""
    )
    assert [made.level("node", name) for name in ("SecNode", "secnode", "SECNODE", "other")] == [
        DENY,
        DENY,
        DENY,
        WRITE,
    ]
    assert [made.level("service", name) for name in ("Web", "web")] == [WRITE, DENY]
    assert [made.level("key", name) for name in ("Sec", "sec")] == [DENY, WRITE]
    assert 'node:write on "secnode" is denied' in explain(made, "node", WRITE, "secnode").words()


def test_deny_beats_write_and_write_beats_read() -> None:
    made = from_text(
        'key "a" { policy = "read" }\nkey "a" { policy = "write" }\nnode "a" { policy = "write" }\nnode "a" { policy = "deny" }'
    )
    assert (made.level("key", "a"), made.level("node", "a")) == (WRITE, DENY)


def test_management_is_never_given_by_default() -> None:
    made = authorizer(default_allow=True)
    assert made.allows("operator", WRITE)
    assert made.allows("key", WRITE, "a")
    assert not made.allows("acl", READ)
    assert EVERYTHING.allows("acl", WRITE)
    EVERYTHING.require("key", WRITE, "a")
    assert not any(EVERYTHING.rights.levels.values())


def test_the_words_of_refusals() -> None:
    with pytest.raises(PermissionDenied) as caught:
        authorizer(accessor="abc").require("key", WRITE, "a")
    assert str(caught.value) == "Permission denied: token with AccessorID 'abc' lacks permission 'key:write' on \"a\""
    with pytest.raises(PermissionDenied) as caught:
        authorizer(accessor=ANONYMOUS_ID).require("acl", READ)
    assert str(caught.value) == (
        "Permission denied: anonymous token lacks permission 'acl:read'. "
        "The anonymous token is used implicitly when a request does not specify a token."
    )


def test_an_explanation_names_policy_line_and_prefix() -> None:
    rules = (
        Rule("key", "app/", True, WRITE, 3, "team"),
        Rule("key", "app/db/", True, READ, 7, "careful"),
        Rule("key", "x", False, DENY, 1, "never"),
    )
    made = authorizer(*rules)
    decision = explain(made, "key", WRITE, "app/db/password")
    assert decision.rule == rules[1]
    assert decision.others == (rules[0],)
    assert decision.words() == (
        'key:write on "app/db/password" is denied: the longest prefix, "app/db/" in policy "careful", line 7 says read. '
        'The smallest rule that allows it: key "app/db/password" { policy = "write" }'
    )
    assert "a rule that denies is not outweighed" in explain(made, "key", READ, "x").words()
    assert "no rule applies, and the default policy is deny" in explain(made, "key", READ, "y").words()


@pytest.mark.parametrize(("text", "part"), [("keys:read", "names no resource"), ("node:list", "node:read, node:write")])
def test_a_permission_that_is_none(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_permission(text)


def test_names_are_remembered_but_not_for_ever() -> None:
    memory = DecisionBudget(10 * 120)
    rights = CompiledPolicies(parse_rules('key_prefix "1" { policy = "read" }'), memory)
    made = Authorizer("a", rights, False)
    for number in range(100):
        assert made.allows("key", READ, str(number)) == str(number).startswith("1")
        assert len(rights.levels["key"]) <= 11


def test_long_names_are_not_remembered() -> None:
    rights = CompiledPolicies(parse_rules('key_prefix "1" { policy = "read" }'))
    made = Authorizer("a", rights, False)
    assert made.allows("key", READ, "1" * 5000)
    assert not rights.levels["key"]
    assert made.allows("key", READ, "1" * 256)
    assert len(rights.levels["key"]) == 1
