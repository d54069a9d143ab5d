"""The last results of each check, for pages that show how it did lately.  Pure: times are passed in."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

KEPT = 50  # results of a check
OUTPUT_CHARACTERS = 300  # of an output that are kept


class RecentResult(NamedTuple):
    """One result of a check.  time: Unix seconds."""

    time: float
    status: str
    output: str


class _Ring:
    """The results of one check: their times, and what they were; equal ones in a row are kept once, with their number."""

    __slots__ = ("runs", "times")

    def __init__(self) -> None:
        self.times = array("d")
        self.runs: list[tuple[int, str, str]] = []

    def add(self, time: float, status: str, output: str) -> None:
        if len(self.times) == KEPT:
            del self.times[0]
            count, *first = self.runs[0]
            self.runs[:1] = [(count - 1, first[0], first[1])] if count > 1 else []
        self.times.append(time)
        if self.runs and self.runs[-1][1:] == (status, output):
            self.runs[-1] = (self.runs[-1][0] + 1, status, output)
        else:
            self.runs.append((1, status, output))

    def __iter__(self) -> Iterator[RecentResult]:
        at = 0
        for count, status, output in self.runs:
            for time in self.times[at : at + count]:
                yield RecentResult(time, status, output)
            at += count


class RecentResults:
    """The last results of the checks of an agent, by their IDs."""

    def __init__(self) -> None:
        self._rings: dict[str, _Ring] = {}

    def add(self, check_id: str, time: float, status: str, output: str) -> None:
        """Add a result, and drop the oldest one beyond the limit."""
        ring = self._rings.get(check_id)
        if ring is None:
            ring = self._rings[check_id] = _Ring()
        ring.add(time, status, output[:OUTPUT_CHARACTERS])

    def of(self, check_id: str) -> list[RecentResult]:
        """Return the results of a check, the oldest first."""
        return list(self._rings.get(check_id, ()))

    def forget(self, check_id: str) -> None:
        """Drop the results of a check that is removed."""
        self._rings.pop(check_id, None)
