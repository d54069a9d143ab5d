"""The errors of Go templates: what a caller sees, and what value-level code raises before the place is known."""

from __future__ import annotations

from typing import Protocol

from pyconsul.agent.common.structs import struct


class TemplateError(Exception):
    """A template cannot be parsed or evaluated; the text names template, line and place as Go's does."""


class GoError(Exception):
    """What is wrong with a value, without a place; the evaluator adds the place and raises TemplateError."""


@struct(frozen=True)
class Source:
    """The text a tree was parsed from. `name` stands in front of line and column in messages."""

    name: str
    text: str

    def place(self, position: int) -> str:
        """`name:line:column` of a character position; lines count from 1, columns are bytes from 0 (as Go's)."""
        before = self.text[:position]
        line_start = before.rfind("\n") + 1
        column = len(before[line_start:].encode("utf-8", "surrogateescape"))
        return f"{self.name}:{before.count(chr(10)) + 1}:{column}"


class Positioned(Protocol):
    """A node of the tree: it has a position, and `str()` shows it."""

    @property
    def position(self) -> int: ...


@struct(frozen=True)
class Place:
    """A node of a template, for messages about what went wrong there. `template` is the defined template's name."""

    source: Source
    template: str
    node: Positioned

    def error(self, problem: object) -> TemplateError:
        """`template: file:line:column: executing "template" at <node>: problem`."""
        from pyconsul.tools.gotemplate.syntax.quote import quote

        where = self.source.place(self.node.position)
        return TemplateError(f"template: {where}: executing {quote(self.template)} at <{self.node}>: {problem}")
