"""Evaluating a template against what is known: the text, or what is missing, or what is wrong. Pure but for reading
the template's own files.

A `Template` of either syntax is parsed once and evaluated whenever its data has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.contract import Evaluation, Template, TemplateError
from pyconsul.tools.template.evaluate.field_safety.inspector import Inspector
from pyconsul.tools.template.evaluate.functions import Functions
from pyconsul.tools.template.feed.answers import Answers, View

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard
    from pyconsul.tools.template.spec import Spec


class Evaluator:
    """One template and the functions that it calls. `guard`: of what it asks for, unless `evaluate` is given another."""

    def __init__(self, spec: Spec, environ: Mapping[str, str], guard: Guard | None = None) -> None:
        """Parses the template. Raises TemplateError."""
        self.functions = Functions(environ, spec.sandbox)
        self.template = _parse(spec, self.functions, environ)
        self.guard = guard
        self._inspector = Inspector(spec.name, self.functions, self.template.render, self.template.text, spec.format)

    def evaluate(self, answers: Answers, now: float = 0.0, guard: Guard | None = None) -> Evaluation:
        """The template's text from these answers. An error while lookups are missing may be due to that, so it does
        not count, unless the syntax says otherwise. `now`: seconds of any clock, for the guard."""
        return self.guarded(guard or self.guard, now, lambda: self._evaluate(answers))

    def guarded(self, guard: Guard | None, now: float, evaluate: Callable[[], Evaluation]) -> Evaluation:
        """An evaluation with this template's functions, which the guard watches over."""
        if guard is None:
            return evaluate()
        functions = self.functions
        functions.guard, functions.now = guard, now
        guard.begin(now)
        try:
            result = evaluate()
        finally:
            functions.guard = None
        return replace(result, guarded=guard.end(complete=result.complete))

    def _evaluate(self, answers: Answers) -> Evaluation:
        view = self.functions.view = View(answers)
        self.functions.given = []
        text, error = "", None
        try:
            text = self.template.render()
            if not view.missing:
                self._inspector.inspect(text, answers)
        except TemplateError as caught:
            error = caught if self.template.fails_while_missing or not view.missing else None
        return Evaluation(text, frozenset(view.used), frozenset(view.missing), error)


def _parse(spec: Spec, functions: Functions, environ: Mapping[str, str]) -> Template:
    if spec.syntax == "go":
        from pyconsul.tools.template.evaluate.go_template import GoTemplate

        return GoTemplate(spec, functions, environ)
    from pyconsul.tools.template.evaluate.jinja_template import JinjaTemplate

    return JinjaTemplate(spec, functions)
