"""Long lists: the part that one page shows, words to search for, and filter expressions with the place of a mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.ui.visit import Visit

ROWS = 200  # of a list that one page shows
OPERATORS = ("==", "!=", " in ", " contains ", " matches ", " is ", "(")
PLACE = re.compile(r"1:(\d+) \(\d+\): ")  # line:column (offset), as the parser says it
SELECTOR = re.compile(r'[Ss]elector "([^"]*)"')
EXPECTED = "no match found, expected: "
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A filter expression that cannot be used.  marked: the expression, with a mark below the place."""

    text: str
    marked: str = ""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """The rows that one page shows of a list.  number, last: of the page and the last page, from 1."""

    rows: Sequence[T]
    number: int
    last: int
    first: int
    end: int
    total: int
    address: Callable[[int], str]


def part_of(visit: Visit, rows: Sequence[T], address: Callable[[int], str]) -> Part[T]:
    """Return the part of a list that `?part=NUMBER` asks for.  address: of another part."""
    text = visit.params.get("part", "1")
    last = max(1, -(-len(rows) // ROWS))
    number = min(max(1, int(text)), last) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    first = (number - 1) * ROWS
    chosen = rows[first : first + ROWS]
    return Part(chosen, number, last, first + 1 if rows else 0, first + len(chosen), len(rows), address)


def is_expression(text: str) -> bool:
    """Return whether a search is an expression of the filter language, not words."""
    return any(operator in f"{text} " for operator in OPERATORS)


def words_match(text: str, *values: str) -> bool:
    """Return whether every word of a search occurs in one of the values, without regard to case."""
    lowered = [value.lower() for value in values]
    return all(any(word in value for value in lowered) for word in text.lower().split())


def filtered(rows: Sequence[T], text: str, kind: type[T]) -> tuple[list[T], Mistake | None]:
    """Return the rows that an expression selects; or all of them, and what is wrong with it."""
    try:
        test = compile_filter(text, kind)
        return [row for row in rows if test(row)], None
    except FilterError as error:
        return list(rows), mistake_of(text, error.fault)


def mistake_of(text: str, fault: str) -> Mistake:
    """Return what is wrong with an expression; the place is marked where the fault names it, or a selector of it."""
    if (place := PLACE.match(fault)) is not None:
        at, fault = int(place[1]) - 1, fault[place.end() :]
    elif (selector := SELECTOR.search(fault)) is not None:
        at = text.find(selector[1])
    else:
        at = -1
    if fault.startswith(EXPECTED):
        fault = f"The expression cannot be read at the mark. Allowed there: {fault.removeprefix(EXPECTED)}."
    line = text.splitlines()[0] if text else ""
    return Mistake(fault, f"{line}\n{' ' * min(at, len(line))}^" if at >= 0 else "")
