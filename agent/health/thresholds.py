"""Number of equal results in a row that change the status of a check.

The counters start at their thresholds, so the first result counts at once.  Passing and warning results are successes, critical
ones are failures; each kind resets the other's counter.
"""

from __future__ import annotations

from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import CRITICAL, WARNING


class Thresholds:
    """The counters of one check."""

    __slots__ = (
        "_failures",
        "_failures_before_critical",
        "_failures_before_warning",
        "_successes",
        "_successes_before",
    )

    def __init__(self, success: int = 0, warning: int = 0, critical: int = 0) -> None:
        self._successes_before = success
        self._failures_before_warning = warning or critical
        self._failures_before_critical = critical
        self._successes = success
        self._failures = critical

    def status_after(self, result: str) -> str | None:
        """Return the status that a run's result leads to, or None when the check keeps the one it has."""
        if result != CRITICAL:
            self._successes += 1
            self._failures = 0
            return result if self._successes >= self._successes_before else None
        self._failures += 1
        self._successes = 0
        if self._failures >= self._failures_before_critical:
            return CRITICAL
        return WARNING if self._failures >= self._failures_before_warning else None


def thresholds_of(definition: CheckDefinition) -> Thresholds:
    """Fresh counters for a check."""
    return Thresholds(
        definition.success_before_passing, definition.failures_before_warning, definition.failures_before_critical
    )
