"""Evaluate templates with `for_each`: the list of items, and the template for one item."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.contract import Evaluation, TemplateError
from pyconsul.tools.template.evaluate.functions import EvaluationContext
from pyconsul.tools.template.evaluate.jinja_template import Expression, text_template
from pyconsul.tools.template.feed.answers import View

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.evaluator import Evaluator
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.spec import Spec


class ItemEvaluator:
    """The template, for one item."""

    def __init__(self, shared: Evaluator, item: Any) -> None:
        self._shared = shared
        self._item = item
        self.guard = shared.guard.fresh() if shared.guard is not None else None

    def change(self, item: Any) -> bool:
        """Take this item; returns whether it differs from the one before."""
        changed = bool(self._item != item)
        self._item = item
        return changed

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """Evaluate as `Evaluator.evaluate` does."""
        return self._shared.evaluate_with(answers, now, self.guard, {"item": self._item})


class ItemsEvaluator:
    """The list of items.

    `items`: those of the latest complete evaluation, by destination. `empty`: whether the list has no items other than those
    that guards hold. `skipped`: one line for each item without a file, with the reason; `uncertain`: whether a skipped item
    may have a file of an earlier run.
    """

    def __init__(self, spec: Spec, shared: Evaluator) -> None:
        """Raises TemplateError."""
        self.items: dict[str, Any] = {}
        self.skipped: list[str] = []
        self.uncertain = False
        self.empty = False
        self._shared = shared
        self._functions = shared.functions
        self.guard = shared.guard.fresh() if shared.guard is not None else None
        self._expression = Expression(spec, shared.functions, spec.for_each, "for_each")
        self._destination: Callable[[], str] = text_template(spec, shared.functions, spec.destination, "destination")
        self._name = spec.name
        # Whoever may name a service or a key must not choose any file of this machine.
        self._folder = spec.fixed_folder

    def for_item(self, item: Any) -> ItemEvaluator:
        """Return the template for one item."""
        return ItemEvaluator(self._shared, item)

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """Evaluate the list and the destinations. An error counts only when nothing is missing."""
        context = EvaluationContext(View(answers), {}, self.guard, now)
        return self._shared.run(context, lambda: self._evaluate(context.view))

    def _evaluate(self, view: View) -> Evaluation:
        items: dict[str, Any] = {}
        error = None
        try:
            items = self._items()
        except TemplateError as caught:
            error = None if view.missing else caught
        if not view.missing and error is None:
            self.items = items
            self.empty = not items or (self.guard is not None and bool(self.guard.held) and not self._has_free())
        return Evaluation("", frozenset(view.used), frozenset(view.missing), error)

    def _has_free(self) -> bool:
        """Return whether the list has items without its guard."""
        with self._functions.evaluating(replace(self._functions.context, guard=None)):
            try:
                return bool(list(self._expression.value()))
            except TemplateError:
                return False

    def _items(self) -> dict[str, Any]:
        listed = self._expression.value()
        if isinstance(listed, str | Mapping) or not hasattr(listed, "__iter__"):
            raise TemplateError(f"{self._name}: for_each gives no list but {type(listed).__name__}")
        items: dict[str, Any] = {}
        self.skipped, self.uncertain = [], False
        for item in listed:
            try:
                with self._functions.evaluating(replace(self._functions.context, variables={"item": item})):
                    destination = os.path.normpath(self._destination())
            except TemplateError as error:
                # The destination's lookups may still be missing during the start.
                self.uncertain = True
                self.skipped.append(f"skipped {_shown(item)}: {error}")
                continue
            if objection := self._objection(destination, items):
                self.skipped.append(f"skipped {_shown(item)}: {objection}")
            else:
                items[destination] = item
        return items

    def _objection(self, destination: str, items: Mapping[str, Any]) -> str:
        """Return why an item must not have this file; "" when it may."""
        if not destination.isprintable():
            return f"the destination {destination!r} has control characters"
        if not Path(destination).is_relative_to(self._folder):
            return f"the destination {destination} is outside of {self._folder}"
        if destination in items:
            return f"an item before it has the destination {destination}, too"
        return ""


def _shown(item: Any) -> str:
    """Return the name of an item for messages."""
    name = next((getattr(item, field) for field in ("Name", "Node", "Key") if hasattr(item, field)), item)
    return f"item {str(name)[:80]!r}"
