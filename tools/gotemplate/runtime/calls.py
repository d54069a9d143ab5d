"""A location in a template where a function or method is called, bound to the function when it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.frames import ABSENT, Expression, Frame
from pyconsul.tools.gotemplate.runtime.signature import Function, fit
from pyconsul.tools.gotemplate.syntax.source_location import SourceLocation

Parameterized = Callable[[str], Expression]  # an argument's code, given the type of its parameter


class CallSite:
    """A call with the code of its arguments. Which function is called is only known when the template runs.

    `given`: whether there are arguments, counting the value that comes through the pipe (`has_final`).
    Errors of the arguments' number name `head`, those of the call itself at `whole`, those of the value
    from the pipe at `last`.
    """

    __slots__ = ("arguments", "bound", "given", "has_final", "head", "last", "name", "plan", "whole")

    def __init__(
        self,
        name: str,
        arguments: Sequence[Parameterized],
        has_final: bool,
        head: SourceLocation,
        whole: SourceLocation,
        last: SourceLocation | None = None,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.has_final = has_final
        self.given = bool(arguments) or has_final
        self.head = head
        self.whole = whole
        self.last = last or head
        # The plan made for the function of the last run; it is nearly always the same one.
        self.bound: Function | None = None
        self.plan: list[Expression] = []

    def bind(self, function: Function) -> None:
        """Choose the code of the arguments by the types of the function's parameters."""
        try:
            function.check_count(self.name, len(self.arguments) + self.has_final)
        except GoError as error:
            raise self.head.error(error) from None
        self.plan = [argument(function.parameter(i)) for i, argument in enumerate(self.arguments)]
        self.bound = function

    def run(self, function: Function, frame: Frame, dot: Any, final: Any, *receiver: Any) -> Any:
        """Call the function; `receiver` is the object whose method it is."""
        if function is not self.bound:
            self.bind(function)
        plan = self.plan
        arguments = [*receiver]
        for evaluate in plan:
            arguments.append(evaluate(frame, dot))
        if final is not ABSENT:
            arguments.append(self.final(final, function.parameter(len(plan))))
        try:
            return function.call(*arguments)
        except RecursionError:
            raise
        except Exception as error:
            raise self.whole.error(f"error calling {self.name}: {error}") from error

    def final(self, value: Any, parameter: str) -> Any:
        """Return the value that comes through the pipe, as the last argument."""
        try:
            return fit(value, parameter)
        except GoError as error:
            raise self.last.error(error) from None
