"""From a filter's text to a function: parsed once, checked against the type, and turned into closures."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from pyconsul.agent.filter.budget import BudgetCache
from pyconsul.agent.filter.coerce import coerce
from pyconsul.agent.filter.dynamic import dynamic_test
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.filter.grammar import parse
from pyconsul.agent.filter.quote import quote
from pyconsul.agent.filter.regexp import REGEXP_BYTES, RegexpError, compile_regexp
from pyconsul.agent.filter.schema import ANY, Field, Shape, schema_of
from pyconsul.agent.filter.syntax import NEGATED, And, Expression, Match, Not, Operator, Or

__all__ = ["FilterError", "Test", "compile_filter"]

Test = Callable[[Any], bool]

# The result of a comparison for a map without the selected key; `matches` and `not matches` agree.
FALSE_WHEN_MISSING = frozenset({Operator.EQUAL, Operator.IN, Operator.IS_NOT_EMPTY})


CACHED = 6 << 20  # bytes of compiled filters that are kept
PER_BYTE = 120  # bytes that a compiled filter takes for each of its text, at most (measured)
PER_FILTER = 2000  # bytes that it takes in any case
MAX_REGEXPS = 32  # of one filter: each takes up to `REGEXP_BYTES`
_compiled: BudgetCache[Test] = BudgetCache(CACHED)


def compile_filter(text: str, kind: Any) -> Test:
    """Return a function that says whether an object of type `kind` matches.  Raises FilterError.

    With a `kind` that tells nothing, such as `dict` or `Any`, selectors are looked up in each object as it comes.
    """
    key = text, kind
    found = _compiled.get(key)
    if found is None:
        regexps = text.count("matches")  # or more: the word may be part of a value
        expression = parse(text)
        if regexps > MAX_REGEXPS and (regexps := _count_regexps(expression)) > MAX_REGEXPS:
            raise FilterError(f"the expression has {regexps} regular expressions; at most {MAX_REGEXPS} are allowed")
        found = _compile(expression, schema_of(kind))
        _compiled.put(key, found, PER_FILTER + PER_BYTE * len(text) + REGEXP_BYTES * regexps)
    return found


def _count_regexps(expression: Expression) -> int:
    match expression:
        case Match():
            return expression.operator in (Operator.MATCHES, Operator.NOT_MATCHES)
        case Not(operand):
            return _count_regexps(operand)
        case And(operands) | Or(operands):
            return sum(map(_count_regexps, operands))


def _compile(expression: Expression, schema: Field | None) -> Test:
    match expression:
        case Match():
            return dynamic_test(expression) if schema is None else _compile_match(expression, schema)
        case Not(operand):
            test = _compile(operand, schema)
            return lambda row: not test(row)
        case And(operands):
            tests = tuple(_compile(operand, schema) for operand in operands)
            return lambda row: all(test(row) for test in tests)
        case Or(operands):
            tests = tuple(_compile(operand, schema) for operand in operands)
            return lambda row: any(test(row) for test in tests)


def _compile_match(match: Match, schema: Field) -> Test:
    name = quote(".".join(match.selector))
    selected = _select(match.selector, schema)
    if match.operator not in selected.operators:
        raise FilterError(f"Invalid match operator {quote(match.operator.value)} for selector {name}")
    value: Any = match.value
    if match.value is not None and selected.scalar is not None:
        try:
            value = coerce(match.value, selected.scalar)
        except ValueError as error:
            raise FilterError(f"Failed to coerce value {quote(match.value)} for selector {name}: {error}") from None
    return _walk(match.selector, schema, _leaf(match.operator, selected, value), match.operator)


def _select(selector: tuple[str, ...], schema: Field) -> Field:
    """Return the selected field; raises FilterError when the type has none of that name."""
    selected = schema
    for depth, name in enumerate(selector, 1):
        found = selected.fields.get(name) or selected.fields.get(ANY)
        if found is None:
            raise FilterError(f"Selector {quote('.'.join(selector[:depth]))} is not valid")
        selected = found
    return selected


def _leaf(operator: Operator, selected: Field, value: Any) -> Test:
    """Return the comparison of the selected value itself; None stands for the type's zero."""
    base = NEGATED.get(operator, operator)
    zero = selected.zero
    test: Test
    if base is Operator.EQUAL:
        test = lambda found: (zero if found is None else found) == value  # noqa: E731
    elif base is Operator.IN:
        test = lambda found: value in (zero if found is None else found)  # noqa: E731
    elif base is Operator.IS_EMPTY:
        return (lambda found: not found) if operator is base else bool
    else:
        search = _search(value)
        test = lambda found: search(found or "")  # noqa: E731
    return test if operator is base else lambda found: not test(found)


def _search(pattern: str) -> Callable[[str], bool]:
    try:
        return compile_regexp(pattern)
    except RegexpError as error:
        raise FilterError(f"Failed to compile regular expression {quote(pattern)}: {error}") from None


def _walk(selector: tuple[str, ...], schema: Field, leaf: Test, operator: Operator) -> Test:
    """Return the path from an object of this type to the selected value, and the comparison at its end."""
    if not selector:
        return leaf
    name, rest = selector[0], selector[1:]
    if schema.shape is Shape.MAP:
        inner = _walk(rest, schema.fields[ANY], leaf, operator)
        missing = operator not in FALSE_WHEN_MISSING
        return lambda found: inner(found[name]) if found and name in found else missing
    inner = _walk(rest, schema.fields[name], leaf, operator)
    attribute = schema.attributes.get(name)
    if attribute is None:
        zero = schema.fields[name].zero
        step: Test = lambda _: inner(zero)  # noqa: E731
    else:
        get = attrgetter(attribute)
        step = lambda found: inner(get(found))  # noqa: E731
    if schema.shape is Shape.LIST:
        return lambda found: any(step(item) for item in found or ())
    return step
