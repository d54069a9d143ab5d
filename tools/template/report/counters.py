"""Counters of a run's events, for metrics and reports. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum


class Event(StrEnum):
    """The counted events; the values are part of the names of metrics. The label is a destination unless noted."""

    RENDERED = "renders"  # a file got a new text
    TEMPLATE_ERROR = "template_errors"
    REFUSED = "refusals"  # a check would not have a new text
    RELOADED = "reloads"  # label: "haproxy", or the command
    RELOAD_FAILED = "reload_failures"  # label: as RELOADED
    ROLLED_BACK = "rollbacks"
    RUNTIME_UPDATED = "runtime_updates"  # HAProxy took a change without a reload; label: "haproxy"
    HELD = "guard_holds"  # a guard began to hold an answer; label: the service


class Counters:
    """Counts by event and label."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Event, str]] = Counter()

    def count(self, event: Event, label: str = "", amount: int = 1) -> None:
        """Count an event."""
        self._counts[event, label] += amount

    def __iter__(self) -> Iterator[tuple[Event, str, int]]:
        """Event, label, count; sorted."""
        return iter([(event, label, count) for (event, label), count in sorted(self._counts.items())])

    def total(self, event: Event) -> int:
        """Over all labels."""
        return sum(count for (which, _), count in self._counts.items() if which is event)
