"""Reading the rules of policies: what is accepted, what is refused, and with which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.acl import parse
from pyconsul.agent.acl.parse import RuleError, parse_rules, unknown_rules
from pyconsul.agent.acl.parse_simple import read_plain
from pyconsul.agent.acl.rules import DENY, LIST, NAMED, READ, SINGLE, WRITE, Rule


def bare(text: str) -> list[tuple[str, str, bool, int]]:
    return [(rule.kind, rule.name, rule.prefix, rule.level) for rule in parse_rules(text)]


def test_blocks_and_settings() -> None:
    text = 'key "a" { policy = "read" }\n\n# why\nservice_prefix "" {\n  policy = "write"\n  intentions = "deny"\n}\nacl = "write"'
    assert bare(text) == [("key", "a", False, READ), ("service", "", True, WRITE), ("acl", "", False, WRITE)]
    assert [rule.line for rule in parse_rules(text)] == [1, 4, 8]


@pytest.mark.parametrize(
    "text",
    [
        'key_prefix "a/" { policy = "list" }',
        '{"key_prefix": {"a/": {"policy": "list"}}}',
        '{"key_prefix": [{"a/": {"policy": "list"}}]}',
        'key_prefix "a/" { policy = "list" sentinel { code = "x" enforcementlevel = "soft-mandatory" } }',
        'key_prefix "a/" {\n  policy = <<EOF\nlist\nEOF\n}'.replace("<<EOF\nlist\nEOF", '"list"'),
        'unheard_of "x" { y = 1 }\nkey_prefix "a/" { policy = "list" } // the end',
    ],
)
def test_the_same_in_other_forms(text: str) -> None:
    assert bare(text) == [("key", "a/", True, LIST)]


@pytest.mark.parametrize("text", ["", "\n", "# only words", "// only words\n", "{}", 'nonsense "a" { policy = "x" }'])
def test_no_rules(text: str) -> None:
    assert parse_rules(text) == ()


def test_a_name_may_come_twice() -> None:
    assert bare('key "a" { policy = "deny" }\nkey "a" { policy = "write" }') == [
        ("key", "a", False, DENY),
        ("key", "a", False, WRITE),
    ]


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (
            'acl = "read"\nkey "a" { policy = "x" }',
            'Invalid key policy: &acl.KeyRule{Prefix:"a", Policy:"x", EnterpriseRule:acl.EnterpriseRule{}}',
            2,
        ),
        ('session "n" {}', 'Invalid session policy: &acl.SessionRule{Node:"n", Policy:""}', 1),
        ('node "n" { policy = "list" }', None, 1),
        ('operator = "list"', 'Invalid operator policy: "list"', 1),
        ('{"mesh": "x"}', 'Invalid mesh policy: "x"', 1),
        ('key "a" { policy = "read"', parse.FAILED + "At 1:27: object expected closing RBRACE got: EOF", 1),
        ('key "a" {\n  policy = "read"\n', parse.FAILED + "At 3:2: object expected closing RBRACE got: EOF", 3),
        (
            'acl = "write"\nacl = "read"',
            parse.FAILED + 'The argument "acl" at 2:1 was already set. Each argument can only be defined once',
            2,
        ),
        ('key "a" {\n  policy = "read\n}', parse.FAILED + "At 2:17: literal not terminated", 2),
        ('key "a" { policy = }', parse.FAILED + "At 1:20: Unknown token: 1:20 RBRACE }", 1),
        ('key "a" { policy = read }', parse.FAILED + "At 1:20: Unknown token: 1:20 IDENT read", 1),
        ('key "a" policy = "read"', parse.FAILED + "At 1:16: nested object expected: LBRACE got: ASSIGN", 1),
        (
            'key "a" { policy }',
            parse.FAILED + "At 1:18: key 'policy' expected start of object ('{') or assignment ('=')",
            1,
        ),
        ('acl = "read" }', parse.FAILED + "At 1:14: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE", 1),
        ('key "a" ; { }', parse.FAILED + "At 1:9: illegal character", 1),
        ('key "a { policy = "read" }', None, 1),
        ("{", None, 1),
    ],
)
def test_what_is_refused(text: str, words: str | None, line: int) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text)
    assert caught.value.line == line
    if words is not None:
        assert str(caught.value) == words


LEVEL = st.sampled_from(["read", "write", "deny"])
NAME = st.text(st.sampled_from("ab/ .-_#{}=é'"), max_size=6)
BLOCK = st.tuples(st.sampled_from([f"{kind}{tail}" for kind in NAMED for tail in ("", "_prefix")]), NAME, LEVEL)
GAP = st.sampled_from([" ", "\n", "\n\n  ", " # a { remark\n", "\t// another\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    parts = [
        f'{keyword} "{name}" {{{draw(GAP)}policy = "{level}"{draw(GAP)}}}{draw(GAP)}'
        for keyword, name, level in draw(st.lists(BLOCK, max_size=6))
    ]
    for kind in draw(st.sets(st.sampled_from(SINGLE), max_size=3)):
        parts.append(f'{kind} = "{draw(LEVEL)}"{draw(GAP)}')
    return "".join(draw(st.permutations(parts)))


@given(texts())
def test_the_simple_parser_agrees_with_the_full_one(text: str) -> None:
    quick = read_plain(text)
    assert quick is not None
    slow = list(parse._entries(parse._hcl(text), text))
    assert sorted((one.keyword, one.name, str(one.body)) for one in quick) == sorted(
        (one.keyword, one.name, str(one.body)) for one in slow
    )


@given(texts())
def test_rules_can_be_written_as_they_are_shown(text: str) -> None:
    rules = parse_rules(text)
    again = parse_rules("\n".join(str(rule) for rule in rules))
    assert [(one.kind, one.name, one.prefix, one.level) for one in again] == [
        (one.kind, one.name, one.prefix, one.level) for one in rules
    ]


@given(st.text(st.sampled_from('ab "{}=\n#/[],_'), max_size=40) | st.text(max_size=20))
@settings(deadline=None)
def test_nothing_breaks_it(text: str) -> None:
    try:
        rules = parse_rules(text)
    except RuleError:
        return
    assert all(isinstance(rule, Rule) for rule in rules)


@given(st.dictionaries(NAME, LEVEL, max_size=5))
def test_json_and_hcl_mean_the_same(rules: dict[str, str]) -> None:
    as_json = json.dumps({"key": {name: {"policy": level} for name, level in rules.items()}})
    as_hcl = "\n".join(f'key "{name}" {{ policy = "{level}" }}' for name, level in rules.items())
    assert sorted(bare(as_json)) == sorted(bare(as_hcl))


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ('key_prefix "x" { policy = "read" }\nacl = "read"', []),
        (
            'keyprefix "x" { policy = "read" }\nkey "a" {policy="read"}',
            ['line 1: rule "keyprefix" is not known and gives nothing; did you mean key_prefix?'],
        ),
        (
            '\nsrvice "x" {\n  policy = "read"\n  extra = 1\n}',
            ['line 2: rule "srvice" is not known and gives nothing; did you mean service?'],
        ),
        ('{"((": 1}', ['line 1: rule "((" is not known and gives nothing']),
        ("", []),
    ],
)  # fmt: skip
def test_rules_that_mean_nothing_are_named(text: str, hints: list[str]) -> None:
    assert parse_rules(text) is not None
    assert unknown_rules(text) == hints


def test_keywords_are_read_in_any_case() -> None:
    text = 'KEY_Prefix "A" { Policy = "deny" }\nACL = "read"\nservice "B" { policy = "write" }'
    assert bare(text) == [("key", "A", True, DENY), ("acl", "", False, READ), ("service", "B", False, WRITE)]
    assert bare('{"Key": {"a": {"Policy": "read"}}}') == [("key", "a", False, READ)]
    assert [rule.line for rule in parse_rules(text)] == [1, 2, 3]
