"""Outages of Consul: one log line at the begin, one at the end, for any number of failing lookups.

It also knows the age of the data meanwhile, and how long new answers are held back, so that templates do not mix old and
new answers. Pure but for the log: `now` is seconds of any clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyconsul.agent.common.go.durations import format_go_duration_ns

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulError
    from pyconsul.tools.template.feed.lookups import Lookup

log = logging.getLogger("template")

#: Times after the begin of an outage at which its length is logged; then every hour.
_LOG_AFTER_S = (60.0, 300.0, 900.0, 3600.0)
_HOUR_S = 3600.0
#: Maximum time that answers are held back after the first one of an outage, while other lookups still fail.
MAX_HOLD_S = 30.0


@dataclass(slots=True)
class _Failing:
    """A failing lookup. `since`: when its data was last known to be right. `lost`: no response at all."""

    since: float
    text: str
    lost: bool


class Outage:
    """The lookups that fail at present, and what was logged about them."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._failing: dict[Lookup, _Failing] = {}
        self._awaited: set[Lookup] = set()  # lost; their answers are awaited before any answer is passed on
        self._began = 0.0
        self._answered_at: float | None = None  # time of the first answer since it began
        self._logged_after = 0.0
        #: Whether some lookup gets no response at all.
        self.unreachable = False
        #: Whether there was any answer: from then on outages are waited out.
        self.answered = False

    def begin(self, lookup: Lookup, error: ConsulError, now: float) -> bool:
        """Note that a lookup failed and will be retried; returns whether an outage begins."""
        text, lost = str(error), error.status == 0
        before = self._failing.get(lookup)
        since = before.since if before else now - error.silent
        self._failing[lookup] = _Failing(since, text, lost)
        if lost and before is None:
            self._answered_at = None  # it was answered and fails again: the outage goes on
        if lost:
            if lookup.poll is None:
                self._awaited.add(lookup)
            return self._lost(text, since)
        if before is None or before.text != text:
            log.warning("%s: %s; trying again", lookup, text)
        self._awaited.discard(lookup)
        self._check_end()
        return False

    def _lost(self, text: str, since: float) -> bool:
        if self.unreachable:
            return False
        self.unreachable, self._began, self._answered_at, self._logged_after = True, since, None, 0.0
        if self.answered:
            log.warning("lost Consul at %s; files keep their last content; retrying: %s", self._address, text)
        else:
            log.warning("cannot reach Consul at %s; retrying: %s", self._address, text)
        return True

    def over(self, lookup: Lookup, now: float) -> bool:
        """Note that a lookup was answered; returns whether it is the first since the outage began."""
        self.answered = True
        first = self.unreachable and self._answered_at is None
        if first:
            self._answered_at = now
        self.forget(lookup)
        return first and self.unreachable

    def forget(self, lookup: Lookup) -> None:
        """Note that a lookup is not used any more, or is answered."""
        self._awaited.discard(lookup)
        if self._failing.pop(lookup, None) is not None:
            self._check_end()

    def fails(self, lookup: Lookup) -> bool:
        """Return whether the latest query of this lookup has failed."""
        return lookup in self._failing

    @property
    def lost(self) -> list[Lookup]:
        """The lookups without any answer."""
        return [lookup for lookup, failing in self._failing.items() if failing.lost]

    def _check_end(self) -> None:
        if self.unreachable and not any(failing.lost for failing in self._failing.values()):
            self.unreachable = False
            log.warning("Consul at %s answers again", self._address)

    def holds(self, now: float) -> bool:
        """Return whether answers are to be held back, because some are still from before the outage."""
        return bool(self._awaited) and (self._answered_at is None or now < self._answered_at + MAX_HOLD_S)

    def age(self, known: Callable[[Lookup], bool], now: float) -> float | None:
        """Return the seconds since Consul last confirmed the oldest data in use; None without data."""
        if not self.answered:
            return None
        return max((now - failing.since for lookup, failing in self._failing.items() if known(lookup)), default=0.0)

    @property
    def next_log_at(self) -> float:
        """When the length of the outage is logged next."""
        later = (mark for mark in _LOG_AFTER_S if mark > self._logged_after)
        return self._began + next(later, self._logged_after + _HOUR_S)

    def log_duration(self, now: float) -> None:
        """Log for how long Consul has not answered."""
        self._logged_after = self.next_log_at - self._began
        length = format_go_duration_ns(round(now - self._began) * 1_000_000_000)
        files = "; files show data of that age" if self.answered else ""
        log.warning("Consul at %s has not answered for %s%s", self._address, length, files)
