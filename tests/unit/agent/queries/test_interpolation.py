"""Texts of query templates: what is read comes out again, and what is wrong is named with its place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.queries.interpolation import Fault, fill, parse

VARIABLES = {"name.full": "geo-db", "name.prefix": "geo-", "name.suffix": "db", "agent.segment": ""}
GROUPS = ("geo-db", "db")


def match(number: int) -> str:
    return GROUPS[number] if 0 <= number < len(GROUPS) else ""


def filled(text: str) -> str:
    return fill(parse(text), VARIABLES, {"match": match})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${name.full}", "geo-db"),
        ("a-${name.prefix}-${name.suffix}-b", "a-geo--db-b"),
        ("${ match( 1 ) }", "db"),
        ("${match(7)}", ""),
        ('${match("1")}', "db"),
        ('${"quoted \\"${name.suffix}\\" $$ \\n"}', 'quoted "db" $ \n'),
        ("$${name.full}", "${name.full}"),
        ("$", "$"),
        ("cost: 5$ {x}", "cost: 5$ {x}"),
        ("${agent.segment}", ""),
        ("${7}", "7"),
    ],
)
def test_filled_in(text: str, expected: str) -> None:
    assert filled(text) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("${name.full", 'parse error at 1:12: expected "}" but found end of string'),
        ("${}", 'parse error at 1:3: expected expression but found "}"'),
        ("a\nb ${match(1}", 'parse error at 2:12: expected ")" but found "}"'),
        ("${name.full name}", 'parse error at 1:13: expected "}" but found "name"'),
        ("${1.5}", "parse error at 1:3: invalid integer: 1.5"),
        ('${"a}', "parse error at 1:6: expected a closing quote but found end of string"),
        ('${"\\x"}', "parse error at 1:4: invalid backslash escape sequence"),
        ("${" * 40, "parse error at 1:3: expected expression but found"),
        ("${" + 'match("${' * 40, "nested too deep"),
        ("${nosuch}", "1:3: unknown variable accessed: nosuch"),
        ("${upper(1)}", "1:3: unknown function called: upper"),
        ("${match()}", "1:3: match: expected 1 arguments, got 0"),
        ('${match("a")}', "1:3: match: argument 1 should be type int, got type string"),
    ],
)
def test_faults_name_their_place(text: str, fault: str) -> None:
    with pytest.raises(Fault) as caught:
        filled(text)
    assert fault in str(caught.value)


@given(st.text())
def test_every_text_survives_with_its_dollars_doubled(text: str) -> None:
    assert filled(text.replace("$", "$$")) == text


@given(st.text(alphabet='${}"()\\ am.1n\n,', max_size=40))
def test_whatever_is_written_is_filled_in_or_a_fault(text: str) -> None:
    with contextlib.suppress(Fault):
        assert isinstance(filled(text), str)


def test_a_nested_text_is_bounded_as_well() -> None:
    with pytest.raises(Fault, match="too long"):
        fill(parse('${"' + "${match(0)}" * 10 + '"}'), VARIABLES, {"match": lambda _: "x" * 10_000})
