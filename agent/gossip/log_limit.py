"""Limits repeated log lines: of one category, a few pass in each interval; the others are counted and reported at its end."""

from __future__ import annotations

from dataclasses import dataclass

INTERVAL_S = 30.0
#: Lines of one category that pass in an interval.
BURST = 3


@dataclass(slots=True)
class _Interval:
    ends_at: float
    burst: int
    passed: int = 0
    suppressed: int = 0

    def admit(self) -> bool:
        """Count a line; return whether it passes."""
        passes = self.passed < self.burst
        self.passed += passes
        self.suppressed += not passes
        return passes


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The number of lines of a category that did not pass in its last interval."""

    category: str
    count: int


class LogLimit:
    """Decides which lines pass. Times are seconds of the caller's clock; categories are few and fixed, never made of input."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._open: dict[str, _Interval] = {}
        #: Lines so far by category, whether they passed or not.
        self.counts: dict[str, int] = {}

    def admit(self, category: str, now: float, *, burst: int = BURST) -> bool:
        """Count a line; return whether it passes."""
        self.counts[category] = self.counts.get(category, 0) + 1
        interval = self._open.get(category)
        if interval is None or (interval.ends_at <= now and not interval.suppressed):
            interval = self._open[category] = _Interval(now + self._interval_s, burst)
        return interval.admit()

    def deadline(self) -> float:
        """Return when `expire` has something to report; infinite: never."""
        return min((one.ends_at for one in self._open.values()), default=float("inf"))

    def expire(self, now: float) -> list[Suppressed]:
        """End the intervals that are over; return what they suppressed."""
        over = [(category, one) for category, one in self._open.items() if one.ends_at <= now]
        for category, _ in over:
            del self._open[category]
        return [Suppressed(category, one.suppressed) for category, one in over if one.suppressed]
