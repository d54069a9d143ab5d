"""Evaluate a template with the known answers: to its text, to missing lookups, or to an error.

Pure but for reading the template's own files. A `Template` of either syntax is parsed once, and evaluated whenever its
data has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.contract import Evaluation, Template, TemplateError
from pyconsul.tools.template.evaluate.field_safety.inspector import Inspector
from pyconsul.tools.template.evaluate.functions import EvaluationContext, Functions
from pyconsul.tools.template.feed.answers import Answers, View

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard
    from pyconsul.tools.template.spec import Spec


class Evaluator:
    """A template and the functions that it calls. `guard`: of its lookups, unless `evaluate_with` is given another."""

    def __init__(self, spec: Spec, environ: Mapping[str, str], guard: Guard | None = None) -> None:
        """Parses the template. Raises TemplateError."""
        self.functions = Functions(environ, spec.sandbox)
        self.template = _parse(spec, self.functions, environ)
        self.guard = guard
        self._inspector = Inspector(spec.name, self.functions, self.template.render, self.template.text, spec.format)

    def evaluate(self, answers: Answers, now: float = 0.0) -> Evaluation:
        """Evaluate with these answers. An error while lookups are missing may be due to that, so it does not count, unless
        the syntax says otherwise. `now`: seconds of any clock, for the guard."""
        return self.evaluate_with(answers, now, self.guard, {})

    def evaluate_with(
        self, answers: Answers, now: float, guard: Guard | None, variables: Mapping[str, Any]
    ) -> Evaluation:
        """Evaluate as `evaluate` does, with another guard, and with variables that the template sees."""
        context = EvaluationContext(View(answers), variables, guard, now)
        return self.run(context, lambda: self._evaluate(context.view, answers))

    def run(self, context: EvaluationContext, evaluate: Callable[[], Evaluation]) -> Evaluation:
        """Run an evaluation with this template's functions, and add the events of the guard to its result."""
        with self.functions.evaluating(context):
            if context.guard is None:
                return evaluate()
            context.guard.begin(context.now)
            result = evaluate()
        return replace(result, guarded=context.guard.end(complete=result.complete))

    def _evaluate(self, view: View, answers: Answers) -> Evaluation:
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
