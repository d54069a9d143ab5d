"""From text to a parsed filter: a recursive-descent parser.

    or      = and { blank "or" blank and }
    and     = not { blank "and" blank not }
    not     = "not" blank not | group
    group   = "(" or ")" | match
    match   = selector ( "==" | "!=" | contains | not contains | matches | not matches ) value
            | selector ( is empty | is not empty )
            | value ( in | not in ) selector
    selector = identifier { "." identifier | "[" string "]" }
    value   = selector | number | string

Alternatives are tried in order, the first that fits wins.  A position is an index into the text; rules give the position after
what they read, or None.
"""

from __future__ import annotations

import re

from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.filter.farthest import END, Farthest
from pyconsul.agent.filter.quote import quote, unquote
from pyconsul.agent.filter.syntax import And, Expression, Match, Not, Operator, Or

BLANK = r"[ \t\r\n]"
LETTER, LETTERS = "[a-zA-Z]", "[a-zA-Z0-9_]"
_BLANKS = re.compile(BLANK + "+")
_IDENTIFIER = re.compile(LETTER + LETTERS + "*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_AFTER_NUMBER = re.compile(BLANK + r"|\)|\Z")

SYMBOLS = {"==": Operator.EQUAL, "!=": Operator.NOT_EQUAL}
VALUE_WORDS = {
    ("contains",): Operator.IN,
    ("not", "contains"): Operator.NOT_IN,
    ("matches",): Operator.MATCHES,
    ("not", "matches"): Operator.NOT_MATCHES,
}
EMPTY_WORDS = {("is", "empty"): Operator.IS_EMPTY, ("is", "not", "empty"): Operator.IS_NOT_EMPTY}
IN_WORDS = {("in",): Operator.IN, ("not", "in"): Operator.NOT_IN}


def parse(text: str) -> Expression:
    """Parse a filter; raises FilterError and nothing else."""
    parser = _Parser(text)
    try:
        found = parser.whole()
    except RecursionError:
        raise FilterError("the expression is nested too deeply") from None
    if parser.farthest.faults():
        raise FilterError(parser.farthest.faults())
    if found is None:
        raise FilterError(parser.farthest.unmatched())
    return found


Found = tuple[Expression, int] | None


class _Parser:
    """One parse of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.farthest = Farthest(text)

    def whole(self) -> Expression | None:
        """Parse the whole text as a filter."""
        found = self.any_of(self.blanks(0))
        if found is None:
            return None
        end = self.blanks(found[1])
        if end < len(self.text):
            self.farthest.wanted(end, END)
            return None
        return found[0]

    def any_of(self, start: int) -> Found:
        """Operands of `or`."""
        operands, end = [], start
        found = self.all_of(start)
        while found is not None:
            operands.append(found[0])
            end = found[1]
            after = self.words(end, ("or",))
            found = None if after is None else self.all_of(after)
        if not operands:
            return None
        return (operands[0] if len(operands) == 1 else Or(tuple(operands))), end

    def all_of(self, start: int) -> Found:
        """Operands of `and`."""
        operands, end = [], start
        found = self.negation(start)
        while found is not None:
            operands.append(found[0])
            end = found[1]
            after = self.words(end, ("and",))
            found = None if after is None else self.negation(after)
        if not operands:
            return None
        return (operands[0] if len(operands) == 1 else And(tuple(operands))), end

    def negation(self, start: int) -> Found:
        """`not`, any number of times."""
        after = self.literal(start, "not")
        after = None if after is None else self.some_blanks(after)
        found = None if after is None else self.negation(after)
        if found is None:
            return self.group(start)
        operand, end = found
        return (operand.operand if isinstance(operand, Not) else Not(operand)), end

    def group(self, start: int) -> Found:
        """Something in parentheses, or a comparison."""
        opened = self.literal(start, "(")
        if opened is None:
            return self.match(start)
        inner = self.any_of(self.blanks(opened))
        if inner is not None:
            end = self.blanks(inner[1])
            closed = self.literal(end, ")")
            if closed is not None:
                return inner[0], closed
            self.farthest.fault(end, "grouping", "Unmatched parentheses")
        self.match(start)  # adds to the list of expected texts
        return None

    def match(self, start: int) -> Found:
        """Parse a comparison."""
        selected = self.selector(start)
        if selected is not None:
            selector, after = selected
            found = self.with_value(selector, after) or self.emptiness(selector, after)
            if found is not None:
                return found
        return self.membership(start)

    def with_value(self, selector: tuple[str, ...], start: int) -> Found:
        """Parse `== value` and similar comparisons."""
        for operator, after in self.value_operators(start):
            value = self.value(after)
            if value is not None:
                return Match(selector, operator, value[0]), value[1]
            break
        return None

    def value_operators(self, start: int) -> list[tuple[Operator, int]]:
        """Parse the operator at `start`, if a value follows it."""
        found = []
        for symbol, operator in SYMBOLS.items():
            after = self.literal(self.blanks(start), symbol)
            if after is not None:
                return [(operator, self.blanks(after))]
        for words, operator in VALUE_WORDS.items():
            after = self.words(start, words)
            if after is not None:
                found.append((operator, after))
        return found

    def emptiness(self, selector: tuple[str, ...], start: int) -> Found:
        """`is empty` and `is not empty`."""
        for words, operator in EMPTY_WORDS.items():
            after = self.words(start, words, then_blanks=False)
            if after is not None:
                return Match(selector, operator), after
        return None

    def membership(self, start: int) -> Found:
        """`value in selector`."""
        value = self.value(start)
        if value is None:
            return None
        for words, operator in IN_WORDS.items():
            after = self.words(value[1], words)
            if after is None:
                continue
            selected = self.selector(after)
            if selected is not None:
                return Match(selected[0], operator, value[0]), selected[1]
            self.farthest.fault(after, "match", "Invalid selector")
        return None

    def selector(self, start: int) -> tuple[tuple[str, ...], int] | None:
        """`Node.Meta["a b"]`: the names, outermost first."""
        first = self.identifier(start)
        if first is None:
            return None
        names, end = [first[0]], first[1]
        while (following := self.member(end) or self.index(end)) is not None:
            names.append(following[0])
            end = following[1]
        return tuple(names), end

    def member(self, start: int) -> tuple[str, int] | None:
        """`.Name`"""
        after = self.literal(start, ".")
        return None if after is None else self.identifier(after)

    def index(self, start: int) -> tuple[str, int] | None:
        """`["name"]`"""
        opened = self.literal(start, "[")
        if opened is None:
            return None
        inside = self.blanks(opened)
        name = self.string(inside)
        if name is None:
            self.farthest.fault(inside, "index", "Invalid index")
            return None
        end = self.blanks(name[1])
        closed = self.literal(end, "]")
        if closed is None:
            self.farthest.fault(end, "index", "Unclosed index expression")
            return None
        return name[0], closed

    def identifier(self, start: int) -> tuple[str, int] | None:
        """Parse a letter, then letters, digits and underscores."""
        found = _IDENTIFIER.match(self.text, start)
        if found is None:
            self.farthest.wanted(start, LETTER)
            return None
        self.farthest.wanted(found.end(), LETTERS)
        return found[0], found.end()

    def value(self, start: int) -> tuple[str, int] | None:
        """Parse a value as text: its type depends on the selected field."""
        selected = self.selector(start)
        if selected is not None:
            return ".".join(selected[0]), selected[1]
        return self.number(start) or self.string(start)

    def number(self, start: int) -> tuple[str, int] | None:
        """Parse a whole or decimal number."""
        found = _NUMBER.match(self.text, start)
        if found is None:
            self.number_wanted(start)
            return None
        end = found.end()
        self.farthest.wanted(end, "[0-9]")
        if "." not in found[0]:
            self.farthest.wanted(end, '"."')
        if not _AFTER_NUMBER.match(self.text, end):
            self.farthest.fault(end, "number", "Invalid number literal")
            return None
        self.farthest.wanted(end, BLANK)
        return found[0], end

    def number_wanted(self, start: int) -> None:
        """Note what could begin a number, or go on after its sign."""
        signed = self.literal(start, "-")
        at = start if signed is None else signed
        self.farthest.wanted(at, '"0"')
        self.farthest.wanted(at, "[1-9]")

    def string(self, start: int) -> tuple[str, int] | None:
        """Parse a text in double quotes or backquotes."""
        for mark in ("`", '"'):
            opened = self.literal(start, mark)
            if opened is None:
                continue
            closing = self.text.find(mark, opened)
            if closing < 0:
                self.farthest.fault(len(self.text), "string", "Unterminated string literal")
                return None
            try:
                return unquote(self.text[start : closing + 1]), closing + 1
            except ValueError as error:
                self.farthest.fault(start, "string", str(error))
                return "", closing + 1
        return None

    def words(self, start: int, words: tuple[str, ...], *, then_blanks: bool = True) -> int | None:
        """Words, each after blanks; and blanks after the last."""
        position: int | None = start
        for word in words:
            position = self.some_blanks(position)
            position = None if position is None else self.literal(position, word)
            if position is None:
                return None
        return self.some_blanks(position) if then_blanks and position is not None else position

    def some_blanks(self, start: int | None) -> int | None:
        """At least one blank."""
        if start is None:
            return None
        end = self.blanks(start)
        return end if end > start else None

    def blanks(self, start: int) -> int:
        """Any number of blanks."""
        found = _BLANKS.match(self.text, start)
        end = start if found is None else found.end()
        self.farthest.wanted(end, BLANK)
        return end

    def literal(self, start: int, text: str) -> int | None:
        """Just this text."""
        if self.text.startswith(text, start):
            return start + len(text)
        self.farthest.wanted(start, quote(text))
        return None
