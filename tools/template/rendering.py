"""One template while the tool runs: what it was evaluated to, what it waits for, whether its file is up to date. Pure."""

from __future__ import annotations

from collections.abc import Set

from pyconsul.tools.template.answers import Answers
from pyconsul.tools.template.evaluate import Evaluation, Evaluator
from pyconsul.tools.template.lookups import Lookup
from pyconsul.tools.template.quiescence import Quiescence
from pyconsul.tools.template.render import to_bytes
from pyconsul.tools.template.spec import Spec


class Rendering:
    """`wait`: whether the template's quiescence counts; with -once it does not. `now`: seconds of any clock."""

    def __init__(self, spec: Spec, evaluator: Evaluator, *, wait: bool) -> None:
        self.spec = spec
        self._evaluator = evaluator
        self._quiescence = Quiescence(*(spec.wait if wait else (0.0, 0.0)))
        self._evaluation: Evaluation | None = None
        self._stale = True  # its data has changed since the evaluation
        self._pending: set[Lookup] = set()  # asked for, never answered
        self._settled: frozenset[Lookup] = frozenset()  # what the latest complete evaluation used
        #: All lookups whose answers matter to it.
        self.used: frozenset[Lookup] = frozenset()
        self._due = False  # complete, but not yet written
        #: Whether it has been written at least once (or was found to be as it should).
        self.done = False
        #: The text of the latest error or refusal, so that it is reported once.
        self.trouble = ""

    def notice(self, changed: Set[Lookup], now: float) -> None:
        """These answers have changed."""
        self._pending -= changed
        if not changed.isdisjoint(self.used):
            self._stale = True
            if self._due:
                self._quiescence.tick(now)

    def evaluate(self, answers: Answers, now: float) -> Evaluation | None:
        """Evaluate it anew if its data has changed and all that it asked for has been answered; None: not now."""
        if not self._stale or self._pending:
            return None
        result = self._evaluation = self._evaluator.evaluate(answers)
        self._stale = False
        self._pending = {lookup for lookup in result.missing if not answers.known(lookup)}
        self._due = result.complete
        if result.complete:
            self._settled = result.used
            self._quiescence.tick(now)
        else:
            self._quiescence.reset()
        self.used = self._settled | result.used
        return result

    @property
    def deadline(self) -> float | None:
        """When it may be written; None when it must not be."""
        return self._quiescence.deadline if self._due else None

    def postpone(self, now: float, seconds: float) -> None:
        """Writing has failed: try again later."""
        self._due = True
        self._quiescence.reset()
        self._quiescence.tick(now + seconds)

    @property
    def data(self) -> bytes:
        """The bytes of the latest evaluation."""
        assert self._evaluation is not None
        return to_bytes(self._evaluation.text)

    def written(self) -> None:
        """The file has the text of the latest evaluation."""
        self._due = False
        self._quiescence.reset()
        self.done = True
        self.trouble = ""

    def refused(self) -> None:
        """The text must not be written; only another one may be."""
        self._due = False
        self._quiescence.reset()
