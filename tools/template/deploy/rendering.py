"""One template while the tool runs: what it was evaluated to, what it waits for, whether its file is up to date. Pure."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, Any

from pyconsul.tools.template.deploy.file_writer import to_bytes

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.contract import Evaluable, Evaluation, TemplateError
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.spec import Spec


class Rendering:
    """`now`: seconds of any clock."""

    def __init__(self, spec: Spec, evaluator: Evaluable) -> None:
        self.spec = spec
        self.evaluator = evaluator
        self._evaluation: Evaluation | None = None
        self._stale = True  # its data has changed since the evaluation
        self._pending: set[Lookup] = set()  # asked for, never answered
        self._settled: frozenset[Lookup] = frozenset()  # what the latest complete evaluation used
        #: All lookups whose answers matter to it.
        self.used: frozenset[Lookup] = frozenset()
        #: Whether its text is complete, but not yet in its file.
        self.due = False
        #: Whether it has been written at least once (or was found to be as it should).
        self.done = False
        #: The text of the latest error or refusal, so that it is reported once.
        self.trouble = ""
        #: When its file got its text by this run, in seconds since 1970, and what changed with it.
        self.rendered: float | None = None
        self.changes: tuple[str, ...] = ()
        #: The answers out of which the file was rendered.
        self.shown: dict[Lookup, Any] = {}

    def notice(self, changed: Set[Lookup]) -> bool:
        """These answers have changed; whether they matter to it."""
        self._pending -= changed
        if changed.isdisjoint(self.used):
            return False
        self._stale = True
        return True

    def adopt(self, old: Rendering) -> None:
        """Go on where another one for the same file stands."""
        self.done = True
        self.shown, self.rendered, self.changes = old.shown, old.rendered, old.changes
        if self.evaluator.guard is not None and old.evaluator.guard is not None:
            self.evaluator.guard.adopt(old.evaluator.guard)

    def expire(self) -> None:
        """Evaluate it again, though no answer has changed."""
        self._stale = True

    def evaluate(self, answers: Answers, now: float) -> Evaluation | None:
        """Evaluate it anew if its data has changed and all that it asked for has been answered; None: not now."""
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
        """Whether its text is whole, and made of the answers that are known now."""
        return self._evaluation is not None and self._evaluation.complete and not self._stale

    @property
    def missing(self) -> frozenset[Lookup]:
        """What it cannot do without, and is not there."""
        return self._evaluation.missing if self._evaluation is not None else frozenset()

    @property
    def error(self) -> TemplateError | None:
        """What is wrong with the latest evaluation."""
        return self._evaluation.error if self._evaluation is not None else None

    @property
    def data(self) -> bytes:
        """The bytes of the latest evaluation."""
        assert self._evaluation is not None
        return to_bytes(self._evaluation.text)

    def ingredients(self, answers: Answers) -> dict[Lookup, Any]:
        """The answers out of which the latest evaluation was made; what a guard holds in place of Consul's."""
        guard = self.evaluator.guard
        known = {lookup: answers.latest(lookup) for lookup in self._settled if answers.known(lookup)}
        return known if guard is None else {lookup: guard.in_use(lookup, answer) for lookup, answer in known.items()}

    def written(self) -> None:
        """The file has the text of the latest evaluation."""
        self.due = False
        self.done = True
        self.trouble = ""
