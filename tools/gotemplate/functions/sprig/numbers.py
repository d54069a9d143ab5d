"""Sprig's arithmetic: operands are converted, integers are int64. Source: https://masterminds.github.io/sprig/math.html"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from functools import reduce
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.numbers import remainder
from pyconsul.tools.gotemplate.functions.sprig.values import float_of, integer_of, text_of
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Int64, Slice, int64

_ANYS = "..." + ANY
_MAX_ITEMS = 10_000_000


def divide(left: Any, right: Any) -> Int64:
    """Rounded towards zero."""
    a, b = integer_of(left), integer_of(right)
    return int64((a - remainder(a, b)) // b if b else remainder(a, b))


def round_to(value: Any, places: int, threshold: float = 0.5) -> float:
    """Return the value with this many places after the point; a rest from the threshold on is rounded up."""
    power = 10.0**places
    scaled = power * float_of(value)
    rest, _ = math.modf(scaled)
    return (math.ceil(scaled) if rest >= threshold else math.floor(scaled)) / power


def until_step(start: int, stop: int, step: int) -> Slice:
    """Return the integers from start on, without stop."""
    items = range(start, stop, step) if step else range(0)
    if len(items) > _MAX_ITEMS:
        raise GoError(f"a list of {len(items)} integers is too long")
    return Slice("[]int", items)


def until(count: int) -> Slice:
    """Return the integers from 0 on, without count."""
    return until_step(0, count, -1 if count < 0 else 1)


def seq(*bounds: int) -> str:
    """Return numbers as the command seq does: last; first and last; first, step and last."""
    if len(bounds) not in (1, 2, 3):
        return ""
    start, stop = (1, bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[-1])
    direction = -1 if stop < start else 1
    step = bounds[1] if len(bounds) == 3 else direction
    if stop < start and step > 0:
        return ""
    return " ".join(map(str, until_step(start, stop + direction, step)))


def octal(value: Any) -> Int64:
    """Return the value's digits as an octal number; 0 when they are none."""
    try:
        return int64(int(text_of(value), 8))
    except ValueError:
        return Int64(0)


def decimals(operation: Callable[[Decimal, Decimal], Decimal], first: Any, others: tuple[Any, ...]) -> float:
    """Floats put together digit by digit, so that 0.1 and 0.2 are 0.3."""
    with localcontext(Context(prec=60)):
        try:
            return float(reduce(operation, map(_decimal, others), _decimal(first)))
        except (InvalidOperation, ArithmeticError):
            raise GoError("decimal division by 0") from None


def _decimal(value: Any) -> Decimal:
    number = float_of(value)
    if not math.isfinite(number):
        raise GoError(f"Cannot create a Decimal from {number}")
    return Decimal(repr(number))


def _divide_decimals(a: Decimal, b: Decimal) -> Decimal:
    return (a / b).quantize(Decimal("1e-16"), rounding=ROUND_HALF_UP)


def _of_first(operation: Callable[[Decimal, Decimal], Decimal]) -> Function:
    return function(lambda first, *others: decimals(operation, first, others), ANY, _ANYS)


def _extreme(choose: Callable[[list[Any]], Any], convert: Callable[[Any], Any]) -> Function:
    return function(lambda first, *others: choose([convert(value) for value in (first, *others)]), ANY, _ANYS)


def _atoi(text: str) -> int:
    try:
        return int(text) if text.strip() == text and "_" not in text else 0
    except ValueError:
        return 0


FUNCTIONS: Mapping[str, Function] = {
    "add": function(lambda *values: int64(sum(map(integer_of, values))), _ANYS),
    "add1": function(lambda value: int64(integer_of(value) + 1), ANY),
    "add1f": function(lambda value: decimals(Decimal.__add__, value, (1,)), ANY),
    "addf": function(lambda *values: decimals(Decimal.__add__, 0, values), _ANYS),
    "atoi": function(_atoi, "string"),
    "biggest": _extreme(max, integer_of),
    "ceil": function(lambda value: float(math.ceil(float_of(value))), ANY),
    "div": function(divide, ANY, ANY),
    "divf": _of_first(_divide_decimals),
    "float64": function(float_of, ANY),
    "floor": function(lambda value: float(math.floor(float_of(value))), ANY),
    "int": function(lambda value: int(integer_of(value)), ANY),
    "int64": function(integer_of, ANY),
    "max": _extreme(max, integer_of),
    "maxf": _extreme(max, float_of),
    "min": _extreme(min, integer_of),
    "minf": _extreme(min, float_of),
    "mod": function(lambda a, b: int64(remainder(integer_of(a), integer_of(b))), ANY, ANY),
    "mul": function(
        lambda first, *others: int64(math.prod(map(integer_of, others), start=integer_of(first))), ANY, _ANYS
    ),
    "mulf": _of_first(Decimal.__mul__),
    "round": function(round_to, ANY, "int", "...float64"),
    "seq": function(seq, "...int"),
    "sub": function(lambda a, b: int64(integer_of(a) - integer_of(b)), ANY, ANY),
    "subf": _of_first(Decimal.__sub__),
    "toDecimal": function(octal, ANY),
    "until": function(until, "int"),
    "untilStep": function(until_step, "int", "int", "int"),
}
