"""What a running template carries along, and the shapes of compiled code.

A tree is compiled once to closures: `Expression(frame, dot)` gives a value, `Step(frame, dot)` writes text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.runtime.signature import Function


class Absent:
    """The type of ABSENT."""


ABSENT: Final = Absent()  # no value comes through the pipe


@struct(frozen=False)
class Frame:
    """One template while it runs. `variables[0]` is `$`; the compiler has given each variable its place."""

    variables: list[Any]
    write: Callable[[str], object]
    functions: Mapping[str, Function]
    templates: Mapping[str, Compiled]
    depth: int = 0


Expression = Callable[[Frame, Any], Any]
Step = Callable[[Frame, Any], object]
Stage = Callable[..., Any]  # (frame, dot, final=ABSENT): a command, given the value that comes through the pipe


@struct(frozen=True)
class Compiled:
    """A compiled template and the number of variables it needs."""

    body: Step
    size: int

    def run(self, frame: Frame, dot: Any) -> None:
        """Write the template with a frame of its own: it sees no variables of its caller."""
        variables = [None] * self.size
        variables[0] = dot
        self.body(Frame(variables, frame.write, frame.functions, frame.templates, frame.depth + 1), dot)
