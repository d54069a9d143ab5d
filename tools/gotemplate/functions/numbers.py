"""consul-template's arithmetic, and texts read as booleans and numbers.

Operands of arithmetic may be of different types: with a float the result is one, two unsigned integers give an
unsigned one, other integers an int64. The first argument is the right operand: `10 | subtract 3` is 7.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Int64, Uint8, Uint64, int64, type_name, uint64
from pyconsul.tools.gotemplate.syntax.literals import MAX_INT, MAX_UINT
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.fmt import go_printf

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORDS = re.compile(r"([+-]?)(inf|infinity|nan)", re.IGNORECASE)


def parse_bool(text: str) -> bool:
    """1, t, true and 0, f, false in some cases; nothing is false."""
    try:
        return bool(text) and parse_go_bool(text)
    except ValueError:
        raise GoError(f"parseBool: strconv.ParseBool: parsing {quote(text)}: invalid syntax") from None


def parse_int(text: str) -> Int64:
    """Return a decimal int64; nothing is 0."""
    if not text:
        return Int64(0)
    value = _integer("parseInt: strconv.ParseInt", text, _INTEGER)
    if not -MAX_INT - 1 <= value <= MAX_INT:
        raise GoError(f"parseInt: strconv.ParseInt: parsing {quote(text)}: value out of range")
    return Int64(value)


def parse_uint(text: str) -> Uint64:
    """Return a decimal uint64, without a sign; nothing is 0."""
    if not text:
        return Uint64(0)
    value = _integer("parseUint: strconv.ParseUint", text, re.compile("[0-9]+"))
    if value > MAX_UINT:
        raise GoError(f"parseUint: strconv.ParseUint: parsing {quote(text)}: value out of range")
    return Uint64(value)


def _integer(name: str, text: str, syntax: re.Pattern[str]) -> int:
    if not syntax.fullmatch(text):
        raise GoError(f"{name}: parsing {quote(text)}: invalid syntax")
    # Far beyond any range; int() refuses texts of thousands of digits.
    return int(text) if len(text.lstrip("+-0")) < 30 else (-1 if text[0] == "-" else 1) * MAX_UINT * 10


def read_float(text: str) -> float | None:
    """Return a float as strconv.ParseFloat reads it, None when it is none."""
    word = _WORDS.fullmatch(text)
    if word:
        return float(text)
    if re.match(r"[+-]?0[xX]", text):
        try:
            return float.fromhex(text) if "p" in text.lower() else None
        except (ValueError, OverflowError):
            return None
    return float(text) if _FLOAT.fullmatch(text) else None


def parse_float(text: str) -> float:
    """Return a float64; nothing is 0."""
    if not text:
        return 0.0
    value = read_float(text)
    if value is None:
        raise GoError(f"parseFloat: strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    if math.isinf(value) and not _WORDS.fullmatch(text):
        raise GoError(f"parseFloat: strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def _is_unsigned(value: Any) -> bool:
    return isinstance(value, (Uint64, Uint8))


def _require_numbers(name: str, *values: Any) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise GoError(f"{name}: unknown type for {go_printf('%q', value)} ({type_name(value)})")


def _arithmetic(
    name: str, of_integers: Callable[[int, int], int], of_floats: Callable[[float, float], float]
) -> Function:
    def run(right: Any, left: Any) -> Any:
        _require_numbers(name, left, right)
        if isinstance(left, float) or isinstance(right, float):
            return of_floats(float(left), float(right))
        result = of_integers(int(left), int(right))
        return uint64(result) if _is_unsigned(left) and _is_unsigned(right) else int64(result)

    return function(run, ANY, ANY)


def _divide(left: int, right: int) -> int:
    """Rounded towards zero."""
    if right == 0:
        raise GoError("runtime error: integer divide by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _divide_floats(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def remainder(left: int, right: int) -> int:
    """Return the remainder of a division; it has the sign of the left operand."""
    return left - right * _divide(left, right)


def modulo(right: Any, left: Any) -> Any:
    """Return the remainder of integers."""
    _require_numbers("modulo", left, right)
    for value in (left, right):
        if isinstance(value, float):
            raise GoError(f"modulo: unknown type for {go_printf('%q', value)} (float64)")
    result = remainder(int(left), int(right))
    return uint64(result) if _is_unsigned(left) and _is_unsigned(right) else int64(result)


def _extreme(name: str, prefers: Callable[[float, float], bool]) -> Function:
    def run(right: Any, left: Any) -> Any:
        _require_numbers(name, left, right)
        chosen = left if prefers(left, right) else right
        return chosen if isinstance(chosen, float) or _is_unsigned(chosen) else int64(int(chosen))

    return function(run, ANY, ANY)


FUNCTIONS: Mapping[str, Function] = {
    "add": _arithmetic("add", lambda a, b: a + b, lambda a, b: a + b),
    "divide": _arithmetic("divide", _divide, _divide_floats),
    "maximum": _extreme("maximum", lambda a, b: a > b),
    "minimum": _extreme("minimum", lambda a, b: a < b),
    "modulo": function(modulo, ANY, ANY),
    "multiply": _arithmetic("multiply", lambda a, b: a * b, lambda a, b: a * b),
    "parseBool": function(parse_bool, "string"),
    "parseFloat": function(parse_float, "string"),
    "parseInt": function(parse_int, "string"),
    "parseUint": function(parse_uint, "string"),
    "subtract": _arithmetic("subtract", lambda a, b: a - b, lambda a, b: a - b),
}
