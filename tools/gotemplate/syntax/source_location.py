"""Locations in the text of a template, as Go's messages name them."""

from __future__ import annotations

from typing import Protocol

from pyconsul.agent.common.go.quoting import go_quote
from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import TemplateError


@struct(frozen=True)
class SourceText:
    """The text a tree was parsed from. `name` stands in front of line and column in messages."""

    name: str
    text: str

    def location(self, position: int) -> str:
        """Return `name:line:column` of a character position; lines count from 1, columns are bytes from 0 (as Go's)."""
        before = self.text[:position]
        line_start = before.rfind("\n") + 1
        column = len(before[line_start:].encode("utf-8", "surrogateescape"))
        return f"{self.name}:{before.count(chr(10)) + 1}:{column}"


class Positioned(Protocol):
    """A node of the tree: it has a position, and `str()` shows it."""

    @property
    def position(self) -> int: ...


@struct(frozen=True)
class SourceLocation:
    """A node of a template, for messages about errors there. `template` is the defined template's name."""

    source: SourceText
    template: str
    node: Positioned

    def error(self, problem: object) -> TemplateError:
        """Return `template: file:line:column: executing "template" at <node>: problem`."""
        where = self.source.location(self.node.position)
        return TemplateError(f"template: {where}: executing {go_quote(self.template)} at <{self.node}>: {problem}")
