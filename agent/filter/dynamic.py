"""Comparing objects whose type is not known beforehand: dicts, lists, plain values, and structures by their JSON keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from pyconsul.agent.filter.coerce import COERCIONS, coerce
from pyconsul.agent.filter.regexp import RegexpError, compile_regexp
from pyconsul.agent.filter.syntax import NEGATED, Match, Operator

NOWHERE = object()


def dynamic_test(match: Match) -> Callable[[Any], bool]:
    """Return a comparison that applies its selector to each object; a value that cannot be compared does not match."""
    base = NEGATED.get(match.operator, match.operator)
    negated = base is not match.operator

    def test(found: Any) -> bool:
        return _compare(base, found, match.value or "") is not negated

    def walk(found: Any, depth: int) -> bool:
        if depth == len(match.selector):
            return test(found)
        if isinstance(found, (list, tuple)):
            return any(walk(item, depth) for item in found)
        inner = _member(found, match.selector[depth])
        if inner is NOWHERE:
            return match.operator not in (Operator.EQUAL, Operator.IN, Operator.IS_NOT_EMPTY)
        return walk(inner, depth + 1)

    return lambda row: walk(row, 0)


def _member(found: Any, name: str) -> Any:
    if isinstance(found, dict):
        return found.get(name, NOWHERE)
    attribute = _attributes(found.__class__).get(name)
    return NOWHERE if attribute is None else getattr(found, attribute)


@lru_cache(maxsize=64)
def _attributes(kind: type) -> dict[str, str]:
    if not issubclass(kind, msgspec.Struct):
        return {}
    return {info.encode_name: info.name for info in msgspec.structs.fields(kind)}


def _compare(operator: Operator, found: Any, text: str) -> bool:
    if operator is Operator.IS_EMPTY:
        return not found
    if operator is Operator.MATCHES:
        try:
            return isinstance(found, str) and compile_regexp(text)(found)
        except RegexpError:
            return False
    if operator is Operator.IN:
        if isinstance(found, (list, tuple)):
            return any(_equal(item, text) for item in found)
        return isinstance(found, (str, dict)) and text in found
    return _equal(found, text)


def _equal(found: Any, text: str) -> bool:
    if found is None or type(found) not in COERCIONS:
        return found is None and text == ""
    try:
        return bool(coerce(text, type(found)) == found)
    except ValueError:
        return False
