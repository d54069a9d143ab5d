"""When Consul does not answer: one line in the log when that begins, one when it is over, however many lookups fail.

Also how old the data is meanwhile, and how long new answers are held back, so that nobody sees half of the old and half
of the new. Pure: `now` is seconds of any clock.
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

#: Seconds of an outage after which its length is told; then every hour.
_TELL_AFTER = (60.0, 300.0, 900.0, 3600.0)
_HOUR = 3600.0
#: Seconds from the first answer after an outage until what came is handed out though some lookups still fail: then it
#: is not the agent that is gone.
HOLD = 30.0


@dataclass(slots=True)
class _Failing:
    """`since`: when its data was last known to be right. `lost`: there is no answer at all."""

    since: float
    text: str
    lost: bool


class Outage:
    """Which lookups fail at present, and what was said about it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._failing: dict[Lookup, _Failing] = {}
        self._awaited: set[Lookup] = set()  # lost, and to be answered before anything is handed out
        self._began = 0.0
        self._back: float | None = None  # when the first answer came after it had begun
        self._told = 0.0
        #: Whether there is no answer at all to some lookup.
        self.unreachable = False
        #: Whether anything was ever answered: from then on an outage is ridden out.
        self.answered = False

    def begin(self, lookup: Lookup, error: ConsulError, now: float) -> bool:
        """Note that a lookup failed and will be retried; returns whether an outage begins."""
        text, lost = str(error), error.status == 0
        before = self._failing.get(lookup)
        since = before.since if before else now - error.silent
        self._failing[lookup] = _Failing(since, text, lost)
        if lost and before is None:
            self._back = None  # It was answered, and is not any more: the outage goes on.
        if lost:
            if lookup.poll is None:
                self._awaited.add(lookup)
            return self._lost(text, since)
        if before is None or before.text != text:
            log.warning("%s: %s; trying again", lookup, text)
        self._awaited.discard(lookup)
        self._look_for_end()
        return False

    def _lost(self, text: str, since: float) -> bool:
        if self.unreachable:
            return False
        self.unreachable, self._began, self._back, self._told = True, since, None, 0.0
        if self.answered:
            log.warning("lost Consul at %s; files keep their last content; retrying: %s", self._address, text)
        else:
            log.warning("cannot reach Consul at %s; retrying: %s", self._address, text)
        return True

    def over(self, lookup: Lookup, now: float) -> bool:
        """Note that a lookup was answered; returns whether it is the first since the outage began."""
        self.answered = True
        first = self.unreachable and self._back is None
        if first:
            self._back = now
        self.forget(lookup)
        return first and self.unreachable

    def forget(self, lookup: Lookup) -> None:
        """Note that a lookup is not used any more, or is answered."""
        self._awaited.discard(lookup)
        if self._failing.pop(lookup, None) is not None:
            self._look_for_end()

    def fails(self, lookup: Lookup) -> bool:
        """Return whether the latest query of this lookup has failed."""
        return lookup in self._failing

    @property
    def lost(self) -> list[Lookup]:
        """The lookups without any answer."""
        return [lookup for lookup, failing in self._failing.items() if failing.lost]

    def _look_for_end(self) -> None:
        if self.unreachable and not any(failing.lost for failing in self._failing.values()):
            self.unreachable = False
            log.warning("Consul at %s answers again", self._address)

    def holds(self, now: float) -> bool:
        """Return whether answers are to be held back, because others are still those from before the outage."""
        return bool(self._awaited) and (self._back is None or now < self._back + HOLD)

    def age(self, known: Callable[[Lookup], bool], now: float) -> float | None:
        """Return the seconds since Consul last confirmed the oldest data in use; None without data."""
        if not self.answered:
            return None
        return max((now - failing.since for lookup, failing in self._failing.items() if known(lookup)), default=0.0)

    @property
    def tell_at(self) -> float:
        """When the length of the outage is to be told next."""
        later = (mark for mark in _TELL_AFTER if mark > self._told)
        return self._began + next(later, self._told + _HOUR)

    def tell(self, now: float) -> None:
        """Say in the log for how long Consul has not answered."""
        self._told = self.tell_at - self._began
        length = format_go_duration_ns(round(now - self._began) * 1_000_000_000)
        files = "; files show data of that age" if self.answered else ""
        log.warning("Consul at %s has not answered for %s%s", self._address, length, files)
