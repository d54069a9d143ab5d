"""A parsed filter: comparisons joined by `and`, `or` and `not`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Operator(Enum):
    """Comparison of a selected value; the names are those of error texts."""

    EQUAL = "Equal"
    NOT_EQUAL = "Not Equal"
    IN = "In"
    NOT_IN = "Not In"
    IS_EMPTY = "Is Empty"
    IS_NOT_EMPTY = "Is Not Empty"
    MATCHES = "Matches"
    NOT_MATCHES = "Not Matches"


#: Negated operators and what they negate.
NEGATED = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_IN: Operator.IN,
    Operator.IS_NOT_EMPTY: Operator.IS_EMPTY,
    Operator.NOT_MATCHES: Operator.MATCHES,
}


@dataclass(frozen=True, slots=True)
class Match:
    """One comparison; `value` is None for the operators that take none."""

    selector: tuple[str, ...]
    operator: Operator
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of them; evaluated from the left, and no further than needed."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    operands: tuple[Expression, ...]


Expression = Match | Not | And | Or
