"""The texts of filters that are refused, as Consul gives them."""

from __future__ import annotations

import pytest

from pyconsul.agent.filter.compile import FilterError, compile_filter
from pyconsul.agent.model.catalog import CatalogService, CheckServiceNode
from pyconsul.agent.model.node import Node

VALUE = '"-", "0", "\\"", "`", [ \\t\\r\\n], [1-9] or [a-zA-Z]'
START = '"(", "-", "0", "\\"", "`", "not", [ \\t\\r\\n], [1-9] or [a-zA-Z]'

SYNTAX = [
    ("ServicePort", '1:12 (11): no match found, expected: "!=", ".", "==", "[", [ \\t\\r\\n] or [a-zA-Z0-9_]'),
    ("ServicePort ==", f"1:15 (14): no match found, expected: {VALUE}"),
    ("== 80", f"1:1 (0): no match found, expected: {START}"),
    (" ", f"1:2 (1): no match found, expected: {START}"),
    ("", f"1:1 (0): no match found, expected: {START}"),
    ("ServicePort === 80", f"1:15 (14): no match found, expected: {VALUE}"),
    (
        "ServicePort > 80",
        '1:13 (12): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \\t\\r\\n]',
    ),
    ("ServicePort == 80 and", "1:22 (21): no match found, expected: [ \\t\\r\\n]"),
    ("ServicePort == 80 foo", '1:19 (18): no match found, expected: "and", "or", [ \\t\\r\\n] or EOF'),
    ("Status is", "1:10 (9): no match found, expected: [ \\t\\r\\n]"),
    ("(ServicePort == 80", '1:19 (18): rule "grouping": Unmatched parentheses'),
    ('Address == "unclosed', '1:21 (20): rule "string": Unterminated string literal'),
    ("Address == `unclosed", '1:21 (20): rule "string": Unterminated string literal'),
    ('Address == "\\q"', '1:12 (11): rule "string": invalid syntax'),
    ('Address in "10.0.0.4"', '1:12 (11): rule "match": Invalid selector'),
    ("NodeMeta[env] == x", '1:10 (9): rule "index": Invalid index'),
    ('NodeMeta["env" == x', '1:16 (15): rule "index": Unclosed index expression'),
    ("ServicePort == 80x", '1:18 (17): rule "number": Invalid number literal'),
    (
        "Address\n>",
        '2:1 (8): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \\t\\r\\n]',
    ),
    (
        'Address == "é" x',
        '1:16 (16): no match found, expected: "and", "or", [ \\t\\r\\n] or EOF',
    ),
]

MEANING = [
    ("Nothing == 80", 'Selector "Nothing" is not valid'),
    ("Address.x == 80", 'Selector "Address.x" is not valid'),
    ("CreateIndex == 80", 'Selector "CreateIndex" is not valid'),
    (
        "ServicePort == eighty",
        'Failed to coerce value "eighty" for selector "ServicePort": strconv.ParseInt: parsing "eighty": invalid syntax',
    ),
    (
        "ServicePort == 99999999999999999999",
        'Failed to coerce value "99999999999999999999" for selector "ServicePort": '
        'strconv.ParseInt: parsing "99999999999999999999": value out of range',
    ),
    (
        "ServiceEnableTagOverride == maybe",
        'Failed to coerce value "maybe" for selector "ServiceEnableTagOverride": '
        'strconv.ParseBool: parsing "maybe": invalid syntax',
    ),
    ("ServicePort is empty", 'Invalid match operator "Is Empty" for selector "ServicePort"'),
    ("Address is not empty", 'Invalid match operator "Is Not Empty" for selector "Address"'),
    ("ServiceTags == v1", 'Invalid match operator "Equal" for selector "ServiceTags"'),
    ("ServiceTags not matches v1", 'Invalid match operator "Not Matches" for selector "ServiceTags"'),
    ("v1 in ServicePort", 'Invalid match operator "In" for selector "ServicePort"'),
    ("ServicePort matches 80", 'Invalid match operator "Matches" for selector "ServicePort"'),
    ("ServiceWeights == 80", 'Invalid match operator "Equal" for selector "ServiceWeights"'),
    (
        'Address matches "("',
        'Failed to compile regular expression "(": error parsing regexp: missing closing ): `(`',
    ),
    ("ServicePort == 80 and Nothing == x or Never == y", 'Selector "Nothing" is not valid'),
]


@pytest.mark.parametrize(("text", "fault"), SYNTAX + MEANING)
def test_refused_with_consuls_text(text: str, fault: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, CatalogService)
    assert str(caught.value) == f"Failed to create boolean expression evaluator: {fault}"
    assert caught.value.fault == fault


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (Node, "Node.Meta == x", 'Selector "Node.Meta" is not valid'),
        (Node, "Meta.a.b == x", 'Selector "Meta.a.b" is not valid'),
        (CheckServiceNode, "ServicePort == 80", 'Selector "ServicePort" is not valid'),
        (CheckServiceNode, "Checks.Definition == x", 'Selector "Checks.Definition" is not valid'),
        (CheckServiceNode, "Checks.Nothing == x", 'Selector "Checks.Nothing" is not valid'),
        (CheckServiceNode, "Checks == x", 'Invalid match operator "Equal" for selector "Checks"'),
    ],
)
def test_selectors_depend_on_the_type(kind: type, text: str, fault: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, kind)
    assert caught.value.fault == fault


def test_too_deep_is_an_error_too() -> None:
    with pytest.raises(FilterError, match="nested too deeply"):
        compile_filter("(" * 100_000, Node)
