"""The texts of query templates: literals with `${name.full}` and `${match(1)}` in them.

A part of HIL (https://github.com/hashicorp/hil): variables, calls, integers, and quoted texts, which may hold further
interpolations; `$$` is one dollar sign.  Operators, conditions and lists are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

Functions: TypeAlias = Mapping[str, Callable[[int], str]]

_SPACE = " \t\r\n"
_WORD = re.compile(r"[^\W\d][\w.\-*]*")
_NUMBER = re.compile(r"[0-9][0-9.]*")
_PUNCTUATION = "()[],.+-*/%<>=!?:&|"
MAX_DEPTH = 32  # of texts in calls in texts
MAX_TEXT = 64 << 10  # characters of a text with its values


class Fault(ValueError):
    """A text that cannot be parsed or interpolated; the message is for its author."""


class Literal(NamedTuple):
    """A text, or a number."""

    value: str | int
    place: str


class Variable(NamedTuple):
    """`name.full`; `place` is `line:column`."""

    name: str
    place: str


class Call(NamedTuple):
    """`match(1)`."""

    name: str
    arguments: tuple[Node, ...]
    place: str


class Joined(NamedTuple):
    """Parts that follow each other."""

    parts: tuple[Node, ...]
    place: str


Node: TypeAlias = Literal | Variable | Call | Joined


def parse(text: str) -> Node:
    """Read a text once.  Raises Fault."""
    return _Reader(text).sequence(quoted=False, depth=0)


def fill(node: Node, variables: Mapping[str, str], functions: Functions, limit: int = MAX_TEXT) -> str:
    """Return the text with its values.  Raises Fault for an unknown name, a wrong argument, or over `limit` characters."""
    parts: list[str] = []
    for part in node.parts if isinstance(node, Joined) else (node,):
        parts.append(str(_value(part, variables, functions)))
        limit -= len(parts[-1])
        if limit < 0:
            raise Fault(f"{part.place}: the rendered query is too long")
    return "".join(parts)


def _value(node: Node, variables: Mapping[str, str], functions: Functions) -> str | int:
    match node:
        case Literal():
            return node.value
        case Variable():
            if node.name not in variables:
                raise Fault(f"{node.place}: unknown variable accessed: {node.name}")
            return variables[node.name]
        case Call():
            return _call(node, variables, functions)
        case Joined():
            return fill(node, variables, functions)


def _call(node: Call, variables: Mapping[str, str], functions: Functions) -> str:
    function = functions.get(node.name)
    if function is None:
        raise Fault(f"{node.place}: unknown function called: {node.name}")
    if len(node.arguments) != 1:
        raise Fault(f"{node.place}: {node.name}: expected 1 arguments, got {len(node.arguments)}")
    value = _value(node.arguments[0], variables, functions)
    if isinstance(value, str):
        if not (value.isascii() and value.lstrip("-").isdigit()):
            raise Fault(f"{node.place}: {node.name}: argument 1 should be type int, got type string")
        value = int(value)
    return function(value)


class _Reader:
    """A position in a text."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def sequence(self, quoted: bool, depth: int) -> Node:
        """Literals and interpolations up to the end, or up to the closing quote."""
        start, parts = self._place(), list[Node]()
        while True:
            if literal := self._literal(quoted):
                parts.append(literal)
            if self._skip("${"):
                if depth >= MAX_DEPTH:
                    raise self._fault("texts are nested too deep")
                parts.append(self._expression(depth + 1))
                self._expect("}")
            elif self._skip('"') if quoted else self._at == len(self._text):
                break
            else:
                raise self._fault("expected a closing quote but found end of string")
        if not parts:
            return Literal("", start)
        only = parts[0]
        return only if len(parts) == 1 and isinstance(only, Literal) else Joined(tuple(parts), start)

    def _literal(self, quoted: bool) -> Literal | None:
        place, found, text = self._place(), list[str](), self._text
        while self._at < len(text) and not text.startswith("${", self._at):
            character = text[self._at]
            if quoted and character == '"':
                break
            if text.startswith("$$", self._at):
                self._at += 1
            elif quoted and character == "\\":
                character = self._escaped()
            self._at += 1
            found.append(character)
        return Literal("".join(found), place) if found else None

    def _escaped(self) -> str:
        follow = self._text[self._at + 1 : self._at + 2]
        if follow not in ("\\", "n", '"'):
            raise self._fault("invalid backslash escape sequence")
        self._at += 1
        return "\n" if follow == "n" else follow

    def _expression(self, depth: int) -> Node:
        self._blanks()
        place = self._place()
        if self._skip('"'):
            return self.sequence(quoted=True, depth=depth)
        if number := _NUMBER.match(self._text, self._at):
            self._at = number.end()
            if "." in number[0] or len(number[0]) > 18:
                raise Fault(f"parse error at {place}: invalid integer: {number[0]}")
            return Literal(int(number[0]), place)
        if word := _WORD.match(self._text, self._at):
            self._at = word.end()
            self._blanks()
            return Call(word[0], self._arguments(depth), place) if self._skip("(") else Variable(word[0], place)
        raise self._unexpected("expression")

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        if depth >= MAX_DEPTH:
            raise self._fault("calls are nested too deep")
        self._blanks()
        while not self._text.startswith(")", self._at):
            found.append(self._expression(depth + 1))
            self._blanks()
            if not self._skip(","):
                break
            self._blanks()
        self._expect(")")
        return tuple(found)

    def _expect(self, wanted: str) -> None:
        self._blanks()
        if not self._skip(wanted):
            raise self._unexpected(f'"{wanted}"')

    def _skip(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def _blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _SPACE:
            self._at += 1

    def _place(self) -> str:
        line_start = self._text.rfind("\n", 0, self._at) + 1
        return f"{self._text.count(chr(10), 0, self._at) + 1}:{self._at - line_start + 1}"

    def _fault(self, what: str) -> Fault:
        return Fault(f"parse error at {self._place()}: {what}")

    def _unexpected(self, wanted: str) -> Fault:
        return self._fault(f"expected {wanted} but found {self._found()}")

    def _found(self) -> str:
        if self._at == len(self._text):
            return "end of string"
        if number := _NUMBER.match(self._text, self._at):
            return f"integer {number[0]}"
        if word := _WORD.match(self._text, self._at):
            return f'"{word[0]}"'
        character = self._text[self._at]
        if character == '"':
            return "opening quote"
        return f'"{character}"' if character in _PUNCTUATION or character == "}" else f'invalid sequence "{character}"'
