"""The state of one template during a run: its evaluation, its missing lookups, whether its file is current. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

from pyconsul.tools.template.deploy.file_writer import to_bytes

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.contract import Evaluable, Evaluation, TemplateError
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.spec import Spec


class Rendering:
    """The state of one template and its file. Other objects read its attributes and change them through its methods.

    `now`: seconds of any clock.
    """

    def __init__(self, spec: Spec, evaluator: Evaluable) -> None:
        self.spec = spec
        self.evaluator = evaluator
        self._evaluation: Evaluation | None = None
        self._stale = True  # its data has changed since the evaluation
        self._pending: set[Lookup] = set()  # requested, never answered
        self._settled: frozenset[Lookup] = frozenset()  # lookups of the latest complete evaluation
        #: All lookups whose answers matter to it.
        self.used: frozenset[Lookup] = frozenset()
        #: Whether its text is complete, but not yet in its file.
        self.due = False
        #: Whether its file was written, or found to be current, at least once.
        self.done = False
        #: The text of the latest error or refusal, so that it is reported once.
        self.problem = ""
        #: When this run wrote the file, in seconds since 1970, and the changes of data since the file before.
        self.rendered: float | None = None
        self.changes: tuple[str, ...] = ()
        #: The answers from which the text in the file was made.
        self.file_answers: dict[Lookup, Any] = {}

    def notice(self, changed: Set[Lookup]) -> bool:
        """Note that these answers have changed; returns whether they matter to it."""
        self._pending -= changed
        if changed.isdisjoint(self.used):
            return False
        self._stale = True
        return True

    def adopt(self, old: Rendering) -> None:
        """Continue from the state of an earlier one for the same file."""
        self.done = True
        self.file_answers, self.rendered, self.changes = old.file_answers, old.rendered, old.changes
        if self.evaluator.guard is not None and old.evaluator.guard is not None:
            self.evaluator.guard.adopt(old.evaluator.guard)

    def expire(self) -> None:
        """Evaluate it at the next opportunity, though no answer has changed."""
        self._stale = True

    def evaluate(self, answers: Answers, now: float) -> Evaluation | None:
        """Evaluate it if its data has changed and all its requests are answered; returns None otherwise."""
        if not self._stale or self._pending:
            return None
        result = self._evaluation = self.evaluator.evaluate(answers, now)
        self._stale = False
        self._pending = {lookup for lookup in result.missing if not answers.known(lookup)}
        self.due = result.complete
        if result.complete:
            self._settled = result.used
        self.used = self._settled | result.used
        return result

    @property
    def complete(self) -> bool:
        """Return whether its text is whole and made of the latest answers."""
        return self._evaluation is not None and self._evaluation.complete and not self._stale

    @property
    def missing(self) -> frozenset[Lookup]:
        """Lookups without which it cannot be written."""
        return self._evaluation.missing if self._evaluation is not None else frozenset()

    @property
    def error(self) -> TemplateError | None:
        """The error of the latest evaluation."""
        return self._evaluation.error if self._evaluation is not None else None

    @property
    def data(self) -> bytes:
        """The bytes of the latest evaluation."""
        assert self._evaluation is not None
        return to_bytes(self._evaluation.text)

    def ingredients(self, answers: Answers) -> dict[Lookup, Any]:
        """Return the answers from which the latest evaluation was made, with the lists that its guard holds."""
        guard = self.evaluator.guard
        known = {lookup: answers.latest(lookup) for lookup in self._settled if answers.known(lookup)}
        return known if guard is None else {lookup: guard.in_use(lookup, answer) for lookup, answer in known.items()}

    def mark_written(self) -> None:
        """Note that the file has the text of the latest evaluation."""
        self.due = False
        self.done = True
        self.problem = ""

    def record_file(self, answers: dict[Lookup, Any]) -> None:
        """Note that the text of the latest evaluation, made from these answers, was written or shown."""
        self.mark_written()
        self.file_answers = answers

    def record_changes(self, changes: Sequence[str], rendered: float) -> None:
        """Note what has changed with the file just written, a line each, and when: seconds since 1970."""
        self.changes = tuple(changes)
        self.rendered = rendered

    def postpone(self) -> None:
        """Leave the text to a later attempt to write it."""
        self.due = True

    def accept_existing(self) -> None:
        """Count the file on disk as written."""
        self.done = True

    def note_problem(self, text: str) -> None:
        """Keep the text of an error or refusal, "" for none."""
        self.problem = text
