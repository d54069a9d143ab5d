"""The compiler of statements: the body of a template becomes one closure that writes its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyconsul.tools.gotemplate.runtime.expressions import Expressions, last_visited
from pyconsul.tools.gotemplate.runtime.fields import MissingKey
from pyconsul.tools.gotemplate.runtime.frames import Compiled, Expression, Frame, Step
from pyconsul.tools.gotemplate.runtime.signature import is_printable
from pyconsul.tools.gotemplate.runtime.values import Channel, sorted_keys, truth, type_name
from pyconsul.tools.gotemplate.syntax import nodes
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.syntax.source_location import SourceLocation
from pyconsul.tools.gotemplate.text.verbs import display_pointed

MAX_DEPTH = 1000  # of templates that call templates


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def compile_tree(tree: nodes.Tree, missing: MissingKey, short_circuit: frozenset[str]) -> Compiled:
    """Return a tree as code. `short_circuit`: which of `and` and `or` are the language's own."""
    expressions = Expressions(tree.source, tree.name, missing, short_circuit)
    body = _body(tree.body, expressions)
    return Compiled(body, expressions.size)


def _body(statements: Sequence[nodes.Statement], expressions: Expressions) -> Step:
    steps = [_statement(statement, expressions) for statement in statements]
    if len(steps) == 1:
        return steps[0]

    def run(frame: Frame, dot: Any) -> None:
        for step in steps:
            step(frame, dot)

    return run


def _scoped_body(statements: Sequence[nodes.Statement], expressions: Expressions) -> Step:
    """Return a body whose variables end with it."""
    outer = len(expressions.scope)
    body = _body(statements, expressions)
    del expressions.scope[outer:]
    return body


def _statement(statement: nodes.Statement, expressions: Expressions) -> Step:
    if isinstance(statement, nodes.Text):
        text = statement.text
        return lambda frame, dot: frame.write(text)
    if isinstance(statement, nodes.Action):
        return _action(statement, expressions)
    if isinstance(statement, nodes.Branch):
        outer = len(expressions.scope)
        step = (_range if statement.keyword == "range" else _if_or_with)(statement, expressions)
        del expressions.scope[outer:]
        return step
    if isinstance(statement, nodes.Call):
        return _template(statement, expressions)
    return _jump(_Break if statement.keyword == "break" else _Continue)


def _jump(kind: type[Exception]) -> Step:
    def jump(frame: Frame, dot: Any) -> None:
        raise kind

    return jump


def _action(action: nodes.Action, expressions: Expressions) -> Step:
    evaluate = expressions.pipeline(action.pipe)
    if action.pipe.variables:
        return evaluate
    location = expressions.location(action)

    def show(frame: Frame, dot: Any) -> None:
        value = evaluate(frame, dot)
        text = value if type(value) is str else shown(value, location)
        try:
            frame.write(text)
        except ValueError as error:
            raise location.error(error) from error

    return show


def shown(value: Any, location: SourceLocation) -> str:
    """Return a value as an action prints it."""
    if type(value) is int:
        return str(value)
    if value is None:
        return "<no value>"
    if not is_printable(value):
        raise location.error(f"can't print {location.node} of type {type_name(value)}")
    return display_pointed(value)


def _if_or_with(branch: nodes.Branch, expressions: Expressions) -> Step:
    evaluate = expressions.pipeline(branch.pipe)
    body = _scoped_body(branch.body, expressions)
    otherwise = _scoped_body(branch.otherwise or (), expressions)
    if branch.keyword == "if":

        def run_if(frame: Frame, dot: Any) -> None:
            (body if truth(evaluate(frame, dot)) else otherwise)(frame, dot)

        return run_if

    def run_with(frame: Frame, dot: Any) -> None:
        value = evaluate(frame, dot)
        if truth(value):
            body(frame, value)
        else:
            otherwise(frame, dot)

    return run_with


def _template(call: nodes.Call, expressions: Expressions) -> Step:
    evaluate: Expression = expressions.pipeline(call.pipe) if call.pipe else lambda frame, dot: None
    name, location = call.name, expressions.location(call)

    def run(frame: Frame, dot: Any) -> None:
        called = frame.templates.get(name)
        if called is None:
            raise location.error(f"template {quote(name)} not defined")
        if frame.depth >= MAX_DEPTH:
            raise location.error(f"exceeded maximum template depth ({MAX_DEPTH})")
        called.run(frame, evaluate(frame, dot))

    return run


def _range(branch: nodes.Branch, expressions: Expressions) -> Step:
    evaluate, slots = expressions.pipeline_with_targets(branch.pipe)
    body = _scoped_body(branch.body, expressions)
    otherwise = _scoped_body(branch.otherwise or (), expressions)
    iterate = _loop(body, slots)
    location = expressions.location(last_visited(branch.pipe))
    pairs = len(slots) > 1

    def run(frame: Frame, dot: Any) -> None:
        value = evaluate(frame, dot)
        if not iterate(frame, _items(value, pairs, location)):
            otherwise(frame, dot)

    return run


def _loop(body: Step, slots: Sequence[int]) -> Callable[[Frame, Iterable[tuple[Any, Any]]], bool]:
    """Run the body for each pair of key and element; False when there was none."""
    element_slot = slots[-1] if slots else None
    key_slot = slots[0] if len(slots) > 1 else None

    def iterate(frame: Frame, items: Iterable[tuple[Any, Any]]) -> bool:
        some = False
        for key, element in items:
            some = True
            if element_slot is not None:
                frame.variables[element_slot] = element
                if key_slot is not None:
                    frame.variables[key_slot] = key
            try:
                body(frame, element)
            except _Continue:
                continue
            except _Break:
                break
        return some

    return iterate


def _items(value: Any, pairs: bool, location: SourceLocation) -> Iterable[tuple[Any, Any]]:
    """Keys and elements of what `range` was given."""
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted_keys(value)]
    if isinstance(value, int) and not isinstance(value, bool):
        if pairs:
            raise location.error(f"can't use {value} to iterate over more than one variable")
        kind = type(value)
        return ((None, kind(i)) for i in range(value))
    if isinstance(value, Channel):
        return enumerate(value.values)
    if value is None:
        return ()
    raise location.error(f"range can't iterate over {display_pointed(value)}")
