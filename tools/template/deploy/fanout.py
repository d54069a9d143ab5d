"""A template with `for_each`: one file for each item of a list, each a unit of its own; those that are gone are removed.

An empty list removes nothing: it is far more often an accident than a wish.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.deploy.file_writer import RenderError
from pyconsul.tools.template.deploy.manifest import Manifest, fixed_folder
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.errors import TemplateError
from pyconsul.tools.template.evaluate.evaluator import Evaluation, Evaluator
from pyconsul.tools.template.evaluate.guard import Guard
from pyconsul.tools.template.feed.answers import Answers, View
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.spec import Spec

log = logging.getLogger("template")


class ItemEvaluator:
    """The template, for one item."""

    def __init__(self, shared: Evaluator, item: Any) -> None:
        self._shared = shared
        self.item = item
        self.guard = shared.guard.fresh() if shared.guard is not None else None

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """As `Evaluator.evaluate`."""
        self._shared.functions.variables["item"] = self.item
        return self._shared.evaluate(answers, now, self.guard)


class Nothing:
    """What a file is made of that is to be removed."""

    guard: Guard | None = None

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """There is nothing to evaluate."""
        return Evaluation("", frozenset(), frozenset())


class ItemsEvaluator:
    """The list itself. `items`: those of the latest complete evaluation, by destination. `empty`: whether there are none
    but for what guards hold. `skipped`: why items have no file, a line each; `uncertain`: whether one of them may have
    had one."""

    def __init__(self, spec: Spec, shared: Evaluator) -> None:
        """Raises TemplateError."""
        from pyconsul.tools.template.evaluate.jinja_template import Expression, text_template

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
        self._folder = fixed_folder(spec.destination)

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """The list and the destinations. An error counts only when nothing is missing."""
        return self._shared.guarded(self.guard, now, lambda: self._evaluate(answers))

    def _evaluate(self, answers: Answers) -> Evaluation:
        view = self._functions.view = View(answers)
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
        """Whether the list has anything without its guard."""
        guard, self._functions.guard = self._functions.guard, None
        try:
            return bool(list(self._expression.value()))
        except TemplateError:
            return False
        finally:
            self._functions.guard = guard

    def _items(self) -> dict[str, Any]:
        listed = self._expression.value()
        if isinstance(listed, str | Mapping) or not hasattr(listed, "__iter__"):
            raise TemplateError(f"{self._name}: for_each gives no list but {type(listed).__name__}")
        items: dict[str, Any] = {}
        self.skipped, self.uncertain = [], False
        for item in listed:
            self._functions.variables["item"] = item
            try:
                destination = os.path.normpath(self._destination())
            except TemplateError as error:
                # During the start, what the destination asks for may be missing still.
                self.uncertain = True
                self.skipped.append(f"skipped {_shown(item)}: {error}")
                continue
            if objection := self._objection(destination, items):
                self.skipped.append(f"skipped {_shown(item)}: {objection}")
            else:
                items[destination] = item
        return items

    def _objection(self, destination: str, items: Mapping[str, Any]) -> str:
        """Why an item must not have this file; "" when it may."""
        if not destination.isprintable():
            return f"the destination {destination!r} has control characters"
        if not Path(destination).is_relative_to(self._folder):
            return f"the destination {destination} is outside of {self._folder}"
        if destination in items:
            return f"an item before it has the destination {destination}, too"
        return ""


def _shown(item: Any) -> str:
    """How messages call an item."""
    name = next((getattr(item, field) for field in ("Name", "Node", "Key") if hasattr(item, field)), item)
    return f"item {str(name)[:80]!r}"


class Fanout:
    """`wait`: as for `Unit`."""

    def __init__(self, spec: Spec, evaluator: Evaluator, *, wait: bool) -> None:
        """Raises TemplateError."""
        fatal = False if wait and spec.error_fatal is None else spec.error_fatal
        self._spec = replace(spec, error_fatal=fatal)
        self._wait = wait
        self._shared = evaluator
        self._list = ItemsEvaluator(spec, evaluator)
        self._manifest = Manifest(spec)
        self._units: dict[str, Unit] = {}
        self._expanded = False
        self._skipped: list[str] = []
        self._earlier: Mapping[str, Rendering] = {}  # until the list is known
        #: The list, as a template that has no file.
        self.rendering = Rendering(spec, self._list)

    @property
    def units(self) -> list[Unit]:
        """One for each file."""
        return list(self._units.values())

    @property
    def done(self) -> bool:
        """Whether it is known which files there are."""
        return self._expanded

    def notice(self, changed: Set[Lookup]) -> None:
        """These answers have changed."""
        self.rendering.notice(changed)

    def evaluate(self, answers: Answers, now: float) -> Evaluation | None:
        """Evaluate the list if it has changed, and make the units that it asks for."""
        result = self.rendering.evaluate(answers, now)
        if result is not None and result.complete:
            self._tell_skipped()
            self._expand(self._list.items)
            self._expanded = self.rendering.done = True
            self._earlier = {}
        return result

    def _tell_skipped(self) -> None:
        told, skipped = set(self._skipped), self._list.skipped
        for line in skipped:
            if line not in told:
                log.error("%s: %s; the files of the other items are not affected", self._spec.name, line)
        self._skipped = skipped
        self.rendering.trouble = "; ".join(skipped)

    def adopt(self, earlier: Mapping[str, Rendering]) -> None:
        """Let the files go on where those of an earlier reading of the configuration stand; by destination."""
        self._earlier = earlier

    def _expand(self, items: Mapping[str, Any]) -> None:
        known = self._manifest.read() if self._spec.prune else frozenset()
        for destination, item in items.items():
            self._keep(destination, item)
        gone = (known | set(self._units)) - set(items)
        if gone and self._spec.prune and self._list.empty:
            log.warning("%s: for_each gives nothing: its %d file(s) stay", self._spec.name, len(gone))
            return
        if gone and self._spec.prune and self._list.uncertain:
            log.warning("%s: nothing is removed while items are skipped for errors", self._spec.name)
            return
        for destination in sorted(gone):
            self._drop(destination)
        # Before any of them is written: a file that nobody remembers would stay for ever.
        self._remember()

    def _keep(self, destination: str, item: Any) -> None:
        unit = self._units.get(destination)
        rendering = unit.renderings[0] if unit is not None else None
        if rendering is None or not isinstance(rendering.evaluator, ItemEvaluator):
            made = Rendering(replace(self._spec, destination=destination), ItemEvaluator(self._shared, item))
            if (old := self._earlier.get(destination)) is not None and not old.spec.absent:
                made.adopt(old)
            self._units[destination] = self._unit(made)
        elif rendering.evaluator.item != item:
            rendering.evaluator.item = item
            rendering.expire()

    def _drop(self, destination: str) -> None:
        if not self._spec.prune:
            del self._units[destination]
        elif destination not in self._units or not self._units[destination].renderings[0].spec.absent:
            self._units[destination] = self._unit(
                Rendering(replace(self._spec, destination=destination, absent=True, check=None), Nothing())
            )

    def settle(self) -> None:
        """Forget the files that have been removed."""
        removed = [name for name, unit in self._units.items() if unit.renderings[0].spec.absent and unit.done]
        for destination in removed:
            del self._units[destination]
        if removed:
            self._remember()

    def _remember(self) -> None:
        if not self._spec.prune:
            return
        try:
            self._manifest.write(frozenset(self._units))
        except RenderError as error:
            log.error("%s: a later run will not remove the files of items that are gone: %s", self._spec.name, error)

    def _unit(self, rendering: Rendering) -> Unit:
        return Unit([rendering], None, wait=self._wait)
