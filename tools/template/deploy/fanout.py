"""A template with `for_each`: one file and one unit for each item of a list. Files of former items are removed.

An empty list removes nothing: it is usually a mistake.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.reasons import reason
from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.deploy.file_writer import RenderError, draft
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.spec import Spec

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard
    from pyconsul.tools.template.evaluate.item_evaluators import ItemEvaluator, ItemsEvaluator
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup

log = logging.getLogger("template")

#: The file name of a manifest.
_MANIFEST = ".pyconsul-template.json"


class RemovedFile:
    """Stands for the template of a file that will be removed."""

    guard: Guard | None = None

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """Return an empty text."""
        return Evaluation("", frozenset(), frozenset())


class Fanout:
    """The units of a template with `for_each`. `items`: the list. `wait`: as for `Unit`.

    Read the manifest before the first evaluation, and save it after each one, before files are written.
    """

    def __init__(self, spec: Spec, items: ItemsEvaluator, *, wait: bool) -> None:
        fatal = False if wait and spec.error_fatal is None else spec.error_fatal
        self._spec = replace(spec, error_fatal=fatal)
        self._wait = wait
        self._list = items
        self._evaluators: dict[str, ItemEvaluator] = {}
        self._manifest = Manifest(spec)
        self._names: frozenset[str] | None = None  # what the manifest has to hold; None: not known yet
        self._units: dict[str, Unit] = {}
        self._expanded = False
        self._skipped: list[str] = []
        self._earlier: Mapping[str, Rendering] = {}  # until the list is known
        #: The list, as a template without a file.
        self.rendering = Rendering(spec, self._list)

    @property
    def units(self) -> list[Unit]:
        """The units, one for each file."""
        return list(self._units.values())

    @property
    def done(self) -> bool:
        """Return whether the list was complete at least once."""
        return self._expanded

    def notice(self, changed: Set[Lookup]) -> None:
        """Note that these answers have changed."""
        self.rendering.notice(changed)

    def evaluate(self, answers: Answers, now: float) -> Evaluation | None:
        """Evaluate the list if its data has changed, and make and remove units accordingly."""
        result = self.rendering.evaluate(answers, now)
        if result is not None and result.complete:
            self.rendering.mark_written()
            self._report_skipped()
            self._expand(self._list.items)
            self._expanded = True
            self._earlier = {}
        return result

    def _report_skipped(self) -> None:
        reported, skipped = set(self._skipped), self._list.skipped
        for line in skipped:
            if line not in reported:
                log.error("%s: %s; the files of the other items are not affected", self._spec.name, line)
        self._skipped = skipped
        self.rendering.note_problem("; ".join(skipped))

    def adopt(self, earlier: Mapping[str, Rendering]) -> None:
        """Continue from the state of the files of an earlier reading of the configuration; by destination."""
        self._earlier = earlier

    def _expand(self, items: Mapping[str, Any]) -> None:
        known = self._manifest.files if self._spec.prune else frozenset()
        for destination, item in items.items():
            self._keep(destination, item)
        self._names = known | set(self._units)
        gone = self._names - set(items)
        if gone and self._spec.prune and self._list.empty:
            log.warning("%s: for_each gives nothing: its %d file(s) stay", self._spec.name, len(gone))
            return
        if gone and self._spec.prune and self._list.uncertain:
            log.warning("%s: nothing is removed while items are skipped for errors", self._spec.name)
            return
        for destination in sorted(gone):
            self._drop(destination)
        self._names = frozenset(self._units)

    def _keep(self, destination: str, item: Any) -> None:
        evaluator = self._evaluators.get(destination)
        if evaluator is None:
            evaluator = self._evaluators[destination] = self._list.for_item(item)
            made = Rendering(replace(self._spec, destination=destination), evaluator)
            if (old := self._earlier.get(destination)) is not None and not old.spec.absent:
                made.adopt(old)
            self._units[destination] = self._unit(made)
        elif evaluator.change(item):
            self._units[destination].renderings[0].expire()

    def _drop(self, destination: str) -> None:
        self._evaluators.pop(destination, None)
        if not self._spec.prune:
            del self._units[destination]
        elif destination not in self._units or not self._units[destination].renderings[0].spec.absent:
            self._units[destination] = self._unit(
                Rendering(replace(self._spec, destination=destination, absent=True, check=None), RemovedFile())
            )

    def settle(self) -> None:
        """Forget the files that have been removed. Save the manifest afterwards."""
        removed = [name for name, unit in self._units.items() if unit.renderings[0].spec.absent and unit.done]
        for destination in removed:
            del self._units[destination]
        if removed:
            self._names = frozenset(self._units)

    @property
    def needs_manifest(self) -> bool:
        """Return whether `read_manifest` must be called before the next evaluation."""
        return self._spec.prune and not self._manifest.is_read

    def read_manifest(self) -> None:
        """Read the names of the files of former runs."""
        self._manifest.read()

    def manifest_write(self) -> Callable[[], None] | None:
        """Return a function that saves the names of the files; None when they are saved. It may run in a thread.

        It must run before files are written: no later run would remove a file whose name was not saved.
        """
        if not self._spec.prune or self._names is None or self._names == self._manifest.files:
            return None
        return partial(self._save, self._names)

    def _save(self, files: frozenset[str]) -> None:
        try:
            self._manifest.write(files)
        except RenderError as error:
            log.error("%s: a later run will not remove the files of items that are gone: %s", self._spec.name, error)

    def _unit(self, rendering: Rendering) -> Unit:
        return Unit([rendering], None, wait=self._wait)


class Manifest:
    """The names of the files of one template, saved beside them, so that a later run can remove those of former items.

    It is a hidden file in the first folder of the destination that has no expression in it: a JSON object whose keys are the
    destinations as they are written in the configuration, with lists of paths.
    A manifest that cannot be read counts as empty: then nothing is removed.
    """

    def __init__(self, spec: Spec) -> None:
        self._pattern = spec.destination
        self.path = spec.fixed_folder / _MANIFEST
        self.is_read = False
        #: The saved names; none before `read`.
        self.files: frozenset[str] = frozenset()

    def read(self) -> None:
        """Read the names of the template's files."""
        files = self._document().get(self._pattern, [])
        self.files = frozenset(file for file in files if isinstance(file, str))
        self.is_read = True

    def write(self, files: frozenset[str]) -> None:
        """Save these names. Raises RenderError."""
        document = self._document()
        document[self._pattern] = sorted(files)
        text = json.dumps({key: value for key, value in document.items() if value}, indent=2) + "\n"
        draft(Spec(str(self.path)), text.encode()).promote()
        self.files = files

    def _document(self) -> dict[str, list[str]]:
        try:
            document = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): files of former runs are not removed", self.path, reason(error))
            return {}
        return document if isinstance(document, dict) else {}
