"""A unit of promotion: one template, or all of a group. When it may be written, and the result. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from pyconsul.tools.consul.retry import RetryPolicy
from pyconsul.tools.template.report.run_report import State

if TYPE_CHECKING:
    from pyconsul.tools.consul.retry import Jitter
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.evaluate.contract import Evaluation
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.spec import Command, Group

#: Backoff after a refusal or a failed load, without limit.
_AGAIN = RetryPolicy(attempts=0, backoff=1.0, max_backoff=60.0)


class Quiescence:
    """`minimum`, `maximum`: seconds without a change, and seconds since the first one; (0, 0) does not wait at all.

    `now` is any clock that only goes forward.
    """

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self._first: float | None = None
        self._last = 0.0

    def tick(self, now: float) -> None:
        """Note a change."""
        if self._first is None:
            self._first = now
        self._last = now

    @property
    def deadline(self) -> float | None:
        """When it will be quiet enough; None when nothing has changed."""
        if self._first is None:
            return None
        return min(self._last + self.minimum, self._first + self.maximum)

    def reset(self) -> None:
        """Note that the changes have been rendered."""
        self._first = None


class Unit:
    """`group`: None for a single template. `wait`: whether quiescence counts; with -once it does not.

    `now`: seconds of any clock.
    """

    def __init__(self, renderings: Sequence[Rendering], group: Group | None, *, wait: bool) -> None:
        self.renderings = list(renderings)
        self.group = group
        times = group.wait if group is not None and group.wait is not None else self.renderings[0].spec.wait
        self._quiescence = Quiescence(*(times if wait else (0.0, 0.0)))
        self._failures = 0
        #: When to try again after a failure; None without one.
        self.retry_at: float | None = None
        #: Templates whose new file could not be loaded and that have no earlier file to restore.
        self.written_but_not_loaded: set[Rendering] = set()

    @property
    def units(self) -> list[Unit]:
        """Itself, as a `Fanout` has several."""
        return [self]

    @property
    def name(self) -> str:
        """The name of the unit in messages."""
        return f"group {self.group.name}" if self.group else self.renderings[0].spec.name

    @property
    def done(self) -> bool:
        """Return whether all files have been written at least once."""
        return all(rendering.done for rendering in self.renderings)

    @property
    def commands(self) -> list[Command]:
        """Commands that run after any of its files has changed, besides those of the changed templates."""
        return [self.group.command] if self.group and self.group.command else []

    def notice(self, changed: Set[Lookup], now: float) -> None:
        """Note that these answers have changed."""
        for rendering in self.renderings:
            if rendering.notice(changed) and rendering.due:
                self._quiescence.tick(now)

    def evaluate(self, answers: Answers, now: float) -> list[tuple[Rendering, Evaluation]]:
        """Evaluate the templates whose data has changed; return the results."""
        results = [(rendering, rendering.evaluate(answers, now)) for rendering in self.renderings]
        fresh = [(rendering, result) for rendering, result in results if result is not None]
        for _, result in fresh:
            if result.complete:
                self._quiescence.tick(now)
                self.retry_at = None
            else:
                self._quiescence.reset()
        return fresh

    @property
    def deadline(self) -> float | None:
        """When it may be written; None when it must not be."""
        if not all(rendering.complete for rendering in self.renderings):
            return None
        if self.retry_at is not None:
            return self.retry_at
        due = any(rendering.due for rendering in self.renderings)
        return self._quiescence.deadline if due else None

    def succeed(self) -> None:
        """Note that all files are in place and loaded."""
        self._quiescence.reset()
        self._failures = 0
        self.retry_at = None
        self.written_but_not_loaded.clear()

    def postpone(self, now: float, rng: Jitter) -> float:
        """Return its files were refused or could not be loaded: try again later, or at the next change. Returns the delay."""
        self._failures += 1
        delay = _AGAIN.delay(self._failures, rng) or 0.0
        self._quiescence.reset()
        self.retry_at = now + delay
        return delay

    @property
    def pending(self) -> bool:
        """Return whether the new text was refused or could not be loaded."""
        return self._failures > 0

    def state(self, rendering: Rendering) -> State:
        """Return the state of one of its templates."""
        if rendering.error is not None:
            return State.FAILED
        if rendering.missing:
            return State.WAITING
        if self.pending:
            return State.PENDING
        return State.SETTLING if rendering.due or not rendering.complete else State.CURRENT
