"""The tree of a parsed Go template. `str(node)` is the node as messages show it.

Positions count characters from the start of the source text.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.syntax.literals import Number
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.syntax.source_location import SourceText


@struct(frozen=True)
class Text:
    """Text outside of actions."""

    position: int
    text: str


@struct(frozen=True)
class Bool:
    """`true` or `false`."""

    position: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@struct(frozen=True)
class Numeral:
    """A number, as written and as what it may stand for."""

    position: int
    text: str
    number: Number

    def __str__(self) -> str:
        return self.text


@struct(frozen=True)
class String:
    """A string literal, as written (`quoted`) and its text."""

    position: int
    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


@struct(frozen=True)
class Nil:
    """`nil`."""

    position: int

    def __str__(self) -> str:
        return "nil"


@struct(frozen=True)
class Dot:
    """The cursor."""

    position: int

    def __str__(self) -> str:
        return "."


@struct(frozen=True)
class Field:
    """`.A.B`: fields of the cursor, one after the other."""

    position: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join("." + name for name in self.names)


@struct(frozen=True)
class Variable:
    """`$x.A.B`: a variable and fields of it; `name` has its dollar sign."""

    position: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@struct(frozen=True)
class Identifier:
    """The name of a function."""

    position: int
    name: str

    def __str__(self) -> str:
        return self.name


@struct(frozen=True)
class Chain:
    """`(pipeline).A.B` or `function.A.B`: fields of what a term gives."""

    position: int
    base: Operand
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{_operand(self.base)}." + ".".join(self.fields)


@struct(frozen=True)
class Command:
    """An operand, or a function or method with its arguments."""

    position: int
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(map(_operand, self.operands))


@struct(frozen=True)
class Pipe:
    """Commands, each given the result of the one before, and the variables that take the last result."""

    position: int
    commands: tuple[Command, ...]
    variables: tuple[Variable, ...] = ()
    assigns: bool = False  # `=`, not `:=`

    def __str__(self) -> str:
        target = ", ".join(map(str, self.variables))
        if target:
            target += " = " if self.assigns else " := "
        return target + " | ".join(map(str, self.commands))


Operand = Bool | Numeral | String | Nil | Dot | Field | Variable | Identifier | Chain | Pipe


def _operand(node: Operand) -> str:
    return f"({node})" if isinstance(node, Pipe) else str(node)


@struct(frozen=True)
class Action:
    """`{{pipeline}}`: shows a value, or sets variables."""

    position: int
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@struct(frozen=True)
class Branch:
    """`if`, `with` or `range` (`keyword`) with its bodies; no `otherwise` when there is no else."""

    position: int
    keyword: str
    pipe: Pipe
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] | None

    def __str__(self) -> str:
        return f"{{{{{self.keyword} {self.pipe}}}}}"


@struct(frozen=True)
class Jump:
    """`break` or `continue`."""

    position: int
    keyword: str


@struct(frozen=True)
class Call:
    """`{{template "name" pipeline}}`, also what a block leaves in its place."""

    position: int
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        return f"{{{{template {quote(self.name)}{f' {self.pipe}' if self.pipe else ''}}}}}"


Statement = Text | Action | Branch | Jump | Call
Node = Statement | Operand | Command


@struct(frozen=True)
class Tree:
    """One template: the file's own or a defined one."""

    name: str
    source: SourceText
    body: tuple[Statement, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether there is nothing but blanks."""
        return is_empty(self.body)


def is_empty(body: Sequence[Statement]) -> bool:
    """Return whether a body holds nothing but blanks (a definition of it may be replaced)."""
    return all(isinstance(statement, Text) and not statement.text.strip() for statement in body)
