"""The parser and the evaluation against naive ones, on texts and objects made up by hypothesis."""

from __future__ import annotations

import contextlib
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.filter.grammar import parse
from pyconsul.agent.filter.quote import quote, unquote
from pyconsul.agent.filter.syntax import NEGATED, And, Expression, Match, Not, Operator, Or
from pyconsul.agent.model.node import Node

names = st.text(string.ascii_letters, min_size=1, max_size=3)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
WITH_VALUE = [Operator.EQUAL, Operator.NOT_EQUAL, Operator.IN, Operator.NOT_IN]
FORMS = {
    Operator.EQUAL: "{s} == {v}",
    Operator.NOT_EQUAL: "{s} != {v}",
    Operator.IN: "{v} in {s}",
    Operator.NOT_IN: "{v} not in {s}",
    Operator.IS_EMPTY: "{s} is empty",
    Operator.IS_NOT_EMPTY: "{s} is not empty",
    Operator.MATCHES: "{s} matches {v}",
    Operator.NOT_MATCHES: "{s} not matches {v}",
}

selectors = st.builds(lambda first, rest: (first, *rest), names, st.lists(texts, max_size=2))
matches = st.builds(
    lambda selector, operator, value: Match(selector, operator, None if "Empty" in operator.value else value),
    selectors,
    st.sampled_from(list(Operator)),
    texts,
)


def combined(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operands = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(inner.filter(lambda each: not isinstance(each, Not)).map(Not), operands.map(And), operands.map(Or))


expressions: st.SearchStrategy[Expression] = st.recursive(matches, combined, max_leaves=8)


def written(expression: Expression) -> str:
    """Return a text that says the expression, with every group in parentheses."""
    match expression:
        case Match(selector, operator, value):
            path = selector[0] + "".join(f"[{quote(name)}]" for name in selector[1:])
            return FORMS[operator].format(s=path, v=quote(value or ""))
        case Not(operand):
            return f"not ({written(operand)})"
        case And(operands):
            return " and ".join(f"({written(each)})" for each in operands)
        case Or(operands):
            return " or ".join(f"({written(each)})" for each in operands)


def has_quote(expression: Expression) -> bool:
    return '\\"' in written(expression)  # a literal in double quotes cannot hold one, not even escaped


@settings(deadline=None)
@given(expressions.filter(lambda each: not has_quote(each)))
def test_a_written_filter_is_parsed_back(expression: Expression) -> None:
    assert parse(written(expression)) == expression


alphabet = st.sampled_from(
    [*'()[]"`.-=! \n01a', "==", "!=", " and ", " or ", "not ", " in ", " is empty", " matches ", "Node", "é"]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(alphabet, max_size=20).map("".join)))
def test_the_parser_raises_nothing_but_its_own_error(text: str) -> None:
    with contextlib.suppress(FilterError):
        parse(text)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_quotes_are_undone(text: str) -> None:
    assert unquote(quote(text)) == text


fields = st.sampled_from([("ID",), ("Node",), ("Address",), ("Meta", "a"), ("Meta", "b"), ("TaggedAddresses", "a")])
few = st.sampled_from(["", "a", "b", "ab"])
maps = st.one_of(st.none(), st.dictionaries(st.sampled_from(["a", "b"]), few))
nodes = st.builds(Node, few, few, few, few, maps, maps, st.just(1), st.just(1))
on_nodes = st.recursive(
    st.one_of(
        st.builds(Match, fields, st.sampled_from(WITH_VALUE), few),
        st.builds(
            Match,
            st.sampled_from([("Meta",), ("TaggedAddresses",)]),
            st.sampled_from([Operator.IN, Operator.NOT_IN]),
            few,
        ),
        st.builds(Match, st.just(("Meta",)), st.sampled_from([Operator.IS_EMPTY, Operator.IS_NOT_EMPTY])),
    ),
    combined,
    max_leaves=6,
)


def naive(expression: Expression, row: dict[str, Any]) -> bool:
    """Return the same by the book, on a dict."""
    match expression:
        case Not(operand):
            return not naive(operand, row)
        case And(operands):
            return all(naive(each, row) for each in operands)
        case Or(operands):
            return any(naive(each, row) for each in operands)
        case Match(selector, operator, value):
            found: Any = row
            for name in selector:
                if name not in (found or {}):
                    return operator in (Operator.NOT_EQUAL, Operator.NOT_IN, Operator.IS_EMPTY)
                found = found[name]
            base = NEGATED.get(operator, operator)
            results = {
                Operator.EQUAL: lambda: found == value,
                Operator.IN: lambda: value in (found or ()),
                Operator.IS_EMPTY: lambda: not found,
            }
            if base is Operator.IN and isinstance(found, str):
                return (str(value) in found) is (base is operator)
            return bool(results[base]()) is (base is operator)


@settings(max_examples=300, deadline=None)
@given(on_nodes, nodes)
def test_evaluation_is_that_of_a_naive_evaluator(expression: Expression, row: Node) -> None:
    plain = {
        "ID": row.id,
        "Node": row.node,
        "Address": row.address,
        "Meta": row.meta,
        "TaggedAddresses": row.tagged_addresses,
    }
    assert compile_filter(written(expression), Node)(row) is naive(expression, plain)
