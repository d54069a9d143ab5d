"""The compiler of pipelines, commands and operands: nodes become closures that give values.

Values come from data of any shape, hence Any; errors carry the location that Go would name.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from pyconsul.agent.common.structs import field, struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.calls import CallSite, Parameterized
from pyconsul.tools.gotemplate.runtime.fields import (
    KeyIsMissing,
    MissingKey,
    methods,
    nil_receiver,
    plain_fields,
    read,
    require_value,
)
from pyconsul.tools.gotemplate.runtime.frames import ABSENT, Expression, Frame, Stage
from pyconsul.tools.gotemplate.runtime.signature import ANY, fit, fit_literal, fit_number
from pyconsul.tools.gotemplate.runtime.values import truth
from pyconsul.tools.gotemplate.syntax import nodes
from pyconsul.tools.gotemplate.syntax.source_location import Positioned, SourceLocation, SourceText

_Literal = nodes.Bool | nodes.Numeral | nodes.String | nodes.Nil


@struct(frozen=False)
class Expressions:
    """Compiles the expressions of one template; holds its variables while doing so.

    `short_circuit`: which of `and` and `or` are the language's own. `scope` maps names to places in the frame,
    the innermost last.
    """

    source: SourceText
    template: str
    missing: MissingKey
    short_circuit: frozenset[str]
    scope: list[tuple[str, int]] = field(default_factory=lambda: [("$", 0)])
    size: int = 1

    def location(self, node: Positioned) -> SourceLocation:
        """Return the node's location, for errors."""
        return SourceLocation(self.source, self.template, node)

    # Variables

    def declare(self, name: str) -> int:
        """Return a new variable's place in the frame."""
        slot = self.size
        self.size += 1
        self.scope.append((name, slot))
        return slot

    def find(self, name: str) -> int | None:
        """Return the place of the innermost variable of that name."""
        return next((slot for known, slot in reversed(self.scope) if known == name), None)

    def targets(self, pipe: nodes.Pipe) -> list[int]:
        """Return the places that a pipeline's variables have, new ones for `:=`."""
        if not pipe.assigns:
            return [self.declare(variable.name) for variable in pipe.variables]
        slots = [self.find(variable.name) for variable in pipe.variables]
        return [slot for slot in slots if slot is not None]

    # Pipelines

    def pipeline(self, pipe: nodes.Pipe) -> Expression:
        """Return the value of the last command, which the pipeline's variables take, too."""
        return self.pipeline_with_targets(pipe)[0]

    def pipeline_with_targets(self, pipe: nodes.Pipe) -> tuple[Expression, list[int]]:
        """Return the same, with the places of its variables."""
        first: Expression = self.command(pipe.commands[0], None, pipe)
        rest = [self.command(c, before, pipe) for before, c in itertools.pairwise(pipe.commands)]
        slots = self.targets(pipe)
        if len(slots) < len(pipe.variables):
            unknown = next(v.name for v in pipe.variables if self.find(v.name) is None)
            rest.append(self.failure(self.location(last_visited(pipe)), f"undefined variable: {unknown}"))
        if not rest and not slots:
            return first, slots

        def run(frame: Frame, dot: Any) -> Any:
            value = first(frame, dot)
            for stage in rest:
                value = stage(frame, dot, value)
            for slot in slots:
                frame.variables[slot] = value
            return value

        return run, slots

    def failure(self, location: SourceLocation, problem: str) -> Stage:
        """Code that fails whenever it runs."""

        def fail(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            raise location.error(problem)

        return fail

    def command(self, command: nodes.Command, before: nodes.Command | None, pipe: nodes.Pipe) -> Stage:
        """Return a command; the one `before` it sends a value through the pipe."""
        head, arguments, has_final = command.operands[0], command.operands[1:], before is not None
        if isinstance(head, nodes.Identifier):
            return self.function_call(head, arguments, has_final, command)
        if isinstance(head, nodes.Chain):
            return self.chain(self.base(head), head.fields, arguments, has_final, head)
        if isinstance(head, nodes.Field):
            return self.chain(_dot, head.names, arguments, has_final, head)
        if isinstance(head, nodes.Variable) and head.fields:
            return self.chain(self.variable(head), head.fields, arguments, has_final, head)
        if arguments or has_final:
            where = head if not isinstance(head, nodes.Pipe) else last_visited(before) if before else pipe
            return self.failure(self.location(where), f"can't give argument to non-function {head}")
        if isinstance(head, nodes.Nil):
            return self.failure(self.location(head), "nil is not a command")
        return self.operand(head)

    # Operands

    def operand(self, node: nodes.Operand) -> Stage:
        """Return an operand where a value of any type will do."""
        if isinstance(node, nodes.Dot):
            return _dot
        if isinstance(node, nodes.Pipe):
            return self.pipeline(node)
        if isinstance(node, nodes.Identifier):
            return self.function_call(node, (), False, node)
        if isinstance(node, nodes.Chain):
            return self.chain(self.base(node), node.fields, (), False, node)
        if isinstance(node, nodes.Field):
            return self.chain(_dot, node.names, (), False, node)
        if isinstance(node, nodes.Variable):
            variable = self.variable(node)
            return self.chain(variable, node.fields, (), False, node) if node.fields else variable
        return self.literal(node)(ANY)

    def literal(self, node: _Literal) -> Parameterized:
        """Return a literal as an argument: what it is depends on the parameter's type."""
        location = self.location(node)

        def fitted(parameter: str) -> Expression:
            try:
                value = _literal_value(node, parameter)
            except GoError as error:
                return self.failure(location, str(error))
            return lambda frame, dot: value

        return fitted

    def argument(self, node: nodes.Operand) -> Parameterized:
        """Return an operand as an argument of a function."""
        if isinstance(node, _Literal):
            return self.literal(node)
        evaluate, location = self.operand(node), self.location(last_visited(node))

        def fitted(parameter: str) -> Expression:
            return evaluate if parameter == ANY else _checked(evaluate, parameter, location)

        return fitted

    def variable(self, node: nodes.Variable) -> Stage:
        """Return a variable without its fields."""
        slot = self.find(node.name)
        if slot is None:
            return self.failure(self.location(node), f"undefined variable: {node.name}")

        def get(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            return frame.variables[slot]

        return get

    # Calls and fields

    def function_call(
        self, head: nodes.Identifier, arguments: Sequence[nodes.Operand], has_final: bool, whole: Positioned
    ) -> Stage:
        """Return a function with its arguments."""
        name = head.name
        if name in self.short_circuit:
            return self.and_or(head, arguments, has_final)
        last = last_visited(arguments[-1]) if arguments else head
        places = self.location(head), self.location(whole), self.location(last)
        site = CallSite(name, [*map(self.argument, arguments)], has_final, *places)

        def run(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            called = frame.functions.get(name)
            if called is None:
                raise site.head.error(f'"{name}" is not a defined function')
            return site.run(called, frame, dot, final)

        return run

    def and_or(self, head: nodes.Identifier, arguments: Sequence[nodes.Operand], has_final: bool) -> Stage:
        """Return the first operand that decides `and` or `or`; the others are not evaluated."""
        if not arguments and not has_final:
            return self.failure(self.location(head), f"wrong number of args for {head.name}: want at least 1 got 0")
        operands = [self.argument(node)(ANY) for node in arguments]
        deciding = head.name == "or"

        def run(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            value = None
            for operand in operands:
                value = operand(frame, dot)
                if truth(value) is deciding:
                    return value
            return value if final is ABSENT else final

        return run

    def base(self, chain: nodes.Chain) -> Expression:
        """Return the term before a chain's fields."""
        if isinstance(chain.base, nodes.Nil):
            return self.failure(self.location(chain), f"indirection through explicit nil in {chain}")
        evaluate = self.operand(chain.base)
        return evaluate if isinstance(chain.base, nodes.Pipe) else self.some(evaluate, chain)

    def some(self, evaluate: Expression, chain: nodes.Chain) -> Expression:
        """Return a function's result, which must not be nil: only a pipeline in parentheses forgives that."""
        location = self.location(last_visited(chain.base))

        def run(frame: Frame, dot: Any) -> Any:
            value = evaluate(frame, dot)
            if value is None:
                raise location.error(nil_receiver(chain.fields[0]))
            return value

        return run

    def chain(
        self,
        base: Expression,
        names: tuple[str, ...],
        arguments: Sequence[nodes.Operand],
        has_final: bool,
        node: Positioned,
    ) -> Stage:
        """Fields one after the other; the last may be a method with arguments."""
        location, whole = (
            self.location(last_visited(node.base) if isinstance(node, nodes.Chain) else node),
            self.location(node),
        )
        sites = [CallSite(name, [], False, location, whole) for name in names[:-1]]
        last = self.location(last_visited(arguments[-1])) if arguments else location
        sites.append(CallSite(names[-1], [*map(self.argument, arguments)], has_final, location, whole, last))
        missing = self.missing
        if len(names) == 1:
            return _single(base, sites[0], missing, location)

        def run(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            value = base(frame, dot)
            if value is None:
                return _field(value, sites[0], frame, dot, ABSENT, missing, location)
            before = None
            try:
                for site in sites:
                    if value is None:
                        raise location.error(nil_receiver(site.name))
                    given = final if site is sites[-1] else ABSENT
                    before, value = value, _field(value, site, frame, dot, given, missing, location, before)
            except KeyIsMissing:
                return None
            return value

        return run


def _single(base: Expression, site: CallSite, missing: MissingKey, location: SourceLocation) -> Stage:
    name = site.name
    if base is _dot:

        def of_dot(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
            if name in plain_fields(type(dot)) and not site.given:
                return getattr(dot, name)
            try:
                return _field(dot, site, frame, dot, final, missing, location)
            except KeyIsMissing:
                return None

        return of_dot

    def of_value(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
        value = base(frame, dot)
        if name in plain_fields(type(value)) and not site.given:
            return getattr(value, name)
        try:
            return _field(value, site, frame, dot, final, missing, location)
        except KeyIsMissing:
            return None

    return of_value


def _field(
    value: Any,
    site: CallSite,
    frame: Frame,
    dot: Any,
    final: Any,
    missing: MissingKey,
    location: SourceLocation,
    container: Any = None,
) -> Any:
    """Return a field of a value, or the result of its method. `container`: whose field the value itself is."""
    name = site.name
    method = methods(type(value)).get(name)
    if method is not None:
        return site.run(method, frame, dot, final, value)
    try:
        if value is None:
            return require_value(name, missing)
        result = read(value, name, missing, container) if not (site.given and isinstance(value, dict)) else None
    except GoError as error:
        raise location.error(error) from None
    if site.given:
        what = (
            "is not a method but has arguments"
            if isinstance(value, dict)
            else ("has arguments but cannot be invoked as function")
        )
        raise location.error(f"{name} {what}")
    return result


def last_visited(node: nodes.Operand | nodes.Command) -> Positioned:
    """Return the node that was looked at last when all of a node has been evaluated: Go's messages name that one."""
    if isinstance(node, nodes.Pipe):
        return last_visited(node.commands[-1])
    if isinstance(node, nodes.Chain):
        return last_visited(node.base)
    return last_visited(node.operands[-1]) if isinstance(node, nodes.Command) else node


def _dot(frame: Frame, dot: Any, final: Any = ABSENT) -> Any:
    return dot


def _literal_value(node: _Literal, parameter: str) -> Any:
    if isinstance(node, nodes.Numeral):
        return fit_number(node.number, node.text, parameter)
    if isinstance(node, nodes.Bool):
        return fit_literal(node.value, str(node), parameter)
    if isinstance(node, nodes.String):
        return fit_literal(node.text, node.quoted, parameter)
    try:
        return fit(None, parameter)
    except GoError:
        raise GoError(f"cannot assign nil to {parameter}") from None


def _checked(evaluate: Expression, parameter: str, location: SourceLocation) -> Expression:
    def run(frame: Frame, dot: Any) -> Any:
        value = evaluate(frame, dot)
        if type(value) is str and parameter == "string":
            return value
        try:
            return fit(value, parameter)
        except GoError as error:
            raise location.error(error) from None

    return run
