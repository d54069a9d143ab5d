"""Sprig's conversions: any value as a text, an integer, a float; what counts as empty; lists of any type."""

from __future__ import annotations

import math
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.numbers import read_float
from pyconsul.tools.gotemplate.runtime.values import Int64, NilPointer, int64, type_name
from pyconsul.tools.gotemplate.syntax.literals import MAX_INT, parse_integer
from pyconsul.tools.gotemplate.text.verbs import display


def text_of(value: Any) -> str:
    """Return the value as a text."""
    return value if isinstance(value, str) else display(value)


def text_list(value: Any) -> list[str]:
    """Return the items of a list as texts, without nil; another value as the only item."""
    if isinstance(value, list):
        return [text_of(item) for item in value if item is not None]
    return [] if value is None else [text_of(value)]


def integer_of(value: Any) -> Int64:
    """Return the value as int64; 0 when it is none."""
    if isinstance(value, str):
        whole, _, fraction = value.partition(".")
        number = parse_integer(whole if fraction.strip("0") == "" else value)
        return Int64(number) if number is not None and abs(number) <= MAX_INT else Int64(0)
    if isinstance(value, float):
        return int64(int(value)) if math.isfinite(value) else Int64(-MAX_INT - 1)
    return int64(int(value)) if isinstance(value, int) else Int64(0)


def float_of(value: Any) -> float:
    """Return the value as float64; 0 when it is none."""
    if isinstance(value, str):
        return read_float(value) or 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0


def is_empty(value: Any) -> bool:
    """Return whether the value is nil, 0, false, or has nothing in it. Structs never are."""
    if isinstance(value, (bool, int, float, str, list, dict)):
        return not value
    return value is None or isinstance(value, NilPointer)


def items_of(value: Any, doing: str) -> list[Any]:
    """Return the items of a list; GoError for anything else. `doing`: what cannot be done, for the message."""
    if isinstance(value, list):
        return list(value)
    raise GoError(f"Cannot {doing} on type {kind_of(value)}")


_KINDS = {"bool": "bool", "int": "int", "int64": "int64", "uint64": "uint64", "float64": "float64", "string": "string"}


def kind_of(value: Any) -> str:
    """Return the kind of the value's type: `slice`, `map`, `ptr`, `int` …"""
    if value is None:
        return "invalid"
    name = type_name(value)
    if name in _KINDS:
        return name
    for start, kind in (("[]", "slice"), ("map[", "map"), ("*", "ptr"), ("func", "func"), ("<-chan", "chan")):
        if name.startswith(start):
            return kind
    return "slice" if isinstance(value, list) else "struct"
