"""Guards: a template does not lose a service's instances by accident. Pure.

    guard.begin(now)
    found = guard.admit(Watched(lookup, statuses), found, now)   # what to use: the new list or the last good one
    listed = guard.admit_list(lookup, listed, now)               # of services: with those that must not go
    events = guard.end(complete=True)                            # for the log

A list that violates the service's limits is not used: the last good one is held until the service has recovered or is
released. A service that has left the catalog is held in lists of services, too. One guard serves one
template.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pyconsul.tools.template.evaluate.guarded_list import ListHold, Listing

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

#: Shares are compared with this tolerance, so that 0.3 of 10 is 3.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class GuardLimits:
    """What a service's instances must satisfy; None: no such limit.

    `max_drop`: the share, 0 … 1, of the instances that may go away, measured from the highest count of the last
    `window` seconds, so that many small drops do not slip through.
    """

    min_instances: int | None = None
    max_drop: float | None = None
    window: float = 300.0


@dataclass(frozen=True, slots=True)
class Watched:
    """Which of a service's instances are asked for."""

    lookup: Lookup
    statuses: tuple[str, ...] = ("passing",)

    @property
    def service(self) -> str:
        """The service's name."""
        return self.lookup.name

    def __str__(self) -> str:
        more = [f"{name}={value}" for name, value in self.lookup.params if name != "passing"]
        if self.statuses != ("passing",):
            more.append("status=" + ",".join(self.statuses))
        return " ".join(["service", self.service, *more])


@dataclass(frozen=True)
class Hold:
    """`now_count`: the instances that Consul has; `kept_count`: those in use, None while there is no good list yet, so
    that the template waits. `since`: of the clock of `admit`."""

    watched: Watched
    now_count: int
    kept_count: int | None
    reason: str
    since: float

    @property
    def service(self) -> str:
        """The service's name."""
        return self.watched.service

    @property
    def lookup(self) -> Lookup:
        """The lookup of the list."""
        return self.watched.lookup

    @property
    def subject(self) -> str:
        """The service and its parameters, for messages."""
        return str(self.watched)

    def __str__(self) -> str:
        if self.kept_count is None:
            return f"guard: {self.watched} has {self.reason}; waiting for more"
        return f"guard: {self.watched} has {self.reason}; keeping the last {_instances(self.kept_count)}"


class Stage(StrEnum):
    """The change of a hold."""

    BEGAN = "began"
    RECOVERED = "recovered"
    RELEASED = "released"


@dataclass(frozen=True)
class GuardEvent:
    """For the log and the counts; a hold that began and has no `kept_count` is a wait for enough instances.

    `quiet`: another event reports this hold already.
    """

    stage: Stage
    hold: Hold | ListHold
    quiet: bool = False

    @property
    def began(self) -> bool:
        """Return whether the hold has just begun."""
        return self.stage is Stage.BEGAN

    def __str__(self) -> str:
        if self.began:
            return str(self.hold)
        word = "has recovered" if self.stage is Stage.RECOVERED else "was released"
        count = f": {_instances(self.hold.now_count)}" if isinstance(self.hold, Hold) else ""
        return f"guard: {self.hold.subject} {word}{count}"


@dataclass
class _State:
    """Of one thing watched. `good`: the list in use. `seen`: the latest of Consul's."""

    good: list[Any] | None = None
    seen: list[Any] = field(default_factory=list)
    #: Earlier, higher counts, falling, with the time until which each held.
    peaks: list[tuple[float, int]] = field(default_factory=list)
    hold: Hold | None = None
    #: The count that was accepted by a release though it is below the minimum.
    floor: int | None = None
    asked: float = 0.0
    round: int = 0

    def highest(self, now: float, window: float) -> int:
        """Return the highest count within the window; while there is a hold, that of its beginning."""
        if self.hold is None:
            self.peaks = [peak for peak in self.peaks if peak[0] >= now - window]
        return max(len(self.good or ()), self.peaks[0][1] if self.peaks else 0)

    def accept(self, found: list[Any], now: float) -> None:
        """Use this list."""
        if self.hold is not None:  # The time of the hold does not count.
            pause = now - self.hold.since
            self.peaks = [(until + pause, count) for until, count in self.peaks]
            self.hold = None
        before = len(self.good or ())
        if len(found) < before:
            while self.peaks and self.peaks[-1][1] <= before:
                self.peaks.pop()
            self.peaks.append((now, before))
        self.good = found

    def release(self) -> None:
        """Use the latest list, and measure from it."""
        self.good, self.floor = self.seen, len(self.seen)
        self.peaks, self.hold = [], None


class Guard:
    """`limits_of`: the limits of a service; None when it has none."""

    def __init__(self, limits_of: Callable[[str], GuardLimits | None]) -> None:
        self._limits_of = limits_of
        self._limits: dict[str, GuardLimits | None] = {}
        self._states: dict[Watched, _State] = {}
        self._listings: dict[Lookup, Listing] = {}
        self._events: list[GuardEvent] = []
        self._round = 0
        self._complete_round = 0  # the round of the latest evaluation that was complete
        self._now = 0.0

    @staticmethod
    def watched(lookup: Lookup, statuses: tuple[str, ...]) -> Watched:
        """Return the subject of `admit`: the instances with these statuses."""
        return Watched(lookup, statuses)

    def begin(self, now: float) -> None:
        """Begin an evaluation."""
        self._round += 1
        self._now = now

    def end(self, *, complete: bool) -> tuple[GuardEvent, ...]:
        """Return the evaluation is over; what has happened since the last one. What a complete one did not ask for is
        forgotten in time."""
        if complete:
            self._complete_round = self._round
            self._states = {
                watched: state
                for watched, state in self._states.items()
                if self._is_wanted(watched.service, state.asked, state.round)
            }
            self._end_listings()
        events, self._events = tuple(self._events), []
        return events

    def _end_listings(self) -> None:
        for listing in self._listings.values():
            if listing.round == self._round:
                listing.keep()
            else:
                wanted = functools.partial(self._is_wanted, asked=listing.asked, round_=listing.round)
                listing.drop([name for name in listing.used if not wanted(name)])
        self._listings = {lookup: listing for lookup, listing in self._listings.items() if listing.used}

    def _is_wanted(self, service: str, asked: float, round_: int) -> bool:
        limits = self._limits_for(service)
        return limits is not None and (round_ == self._round or self._now - asked <= limits.window)

    def admit(self, watched: Watched, found: list[Any], now: float) -> list[Any] | None:
        """Return the list to use: `found` when it satisfies the limits, else the last good one; None before the first.

        The same question in the same evaluation has the same answer.
        """
        limits = self._limits_for(watched.service)
        if limits is None:
            return found
        state = self._states.setdefault(watched, _State())
        state.seen, state.asked, state.round = found, now, self._round
        reason = _violation(limits, state.floor, state.highest(now, limits.window), len(found))
        if reason:
            self._hold(watched, state, reason, now)
            return state.good
        if state.hold is not None:
            self._add_event(Stage.RECOVERED, replace(state.hold, now_count=len(found)))
        state.accept(found, now)
        if state.floor is not None and len(found) >= (limits.min_instances or 0):
            state.floor = None
        return found

    def admit_list(self, lookup: Lookup, found: list[Any], now: float) -> list[Any]:
        """Return the services to list: `found`, and those that were there before and whose limits object to their having no
        instances. The same question in the same evaluation has the same answer."""
        listing = self._listings.get(lookup)
        if listing is None:
            listing = self._listings[lookup] = Listing(lookup)
        if listing.round != self._round or listing.seen is not found:
            listing.asked, listing.round = now, self._round
            began, over = listing.admit(found, lambda name: self._must_keep(lookup, name, now), now)
            for stage, holds in ((Stage.BEGAN, began), (Stage.RECOVERED, over)):
                for hold in holds:
                    self._add_event(stage, hold)
        return listing.shown

    def _must_keep(self, lookup: Lookup, service: str, now: float) -> bool:
        """Return whether a service that has left a list must not go; it may if it had no instances in use."""
        limits, catalog = self._limits_for(service), _catalog_of(lookup)
        states = [
            state
            for watched, state in self._states.items()
            if watched.service == service and _catalog_of(watched.lookup) == catalog
        ]
        if limits is None or not states:
            return self._would_hold_empty(service)
        return any(_violation(limits, state.floor, state.highest(now, limits.window), 0) for state in states)

    def _would_hold_empty(self, service: str) -> bool:
        """Return whether the limits of a service object to its having no instances, when it had some."""
        limits = self._limits_for(service)
        return limits is not None and bool(_violation(limits, None, 1, 0))

    def _limits_for(self, service: str) -> GuardLimits | None:
        if service not in self._limits:
            self._limits[service] = self._limits_of(service)
        return self._limits[service]

    def _hold(self, watched: Watched, state: _State, reason: str, now: float) -> None:
        began = state.hold is None
        kept = None if state.good is None else len(state.good)
        since = now if state.hold is None else state.hold.since
        state.hold = Hold(watched, len(state.seen), kept, reason, since)
        if began:
            self._add_event(Stage.BEGAN, state.hold)

    def _add_event(self, stage: Stage, hold: Hold | ListHold) -> None:
        others: Iterable[Hold | ListHold] = self._list_holds(0) if isinstance(hold, Hold) else self._holds(0)
        same = (
            one for one in others if one.service == hold.service and _catalog_of(one.lookup) == _catalog_of(hold.lookup)
        )
        self._events.append(GuardEvent(stage, hold, quiet=any(same)))

    def _holds(self, since: int) -> list[Hold]:
        """Return those of what was asked for since a round."""
        return [state.hold for state in self._states.values() if state.hold and state.round >= since]

    def _list_holds(self, since: int) -> list[ListHold]:
        return [hold for one in self._listings.values() if one.round >= since for hold in one.holds.values()]

    @property
    def held(self) -> list[Hold | ListHold]:
        """The holds of the template, and its waits (no `kept_count`), as of its latest evaluation."""
        return [*self._list_holds(self._complete_round), *self._holds(self._complete_round)]

    def in_use(self, lookup: Lookup, answer: Any) -> Any:
        """Return the list that templates get instead of this answer: the held one, or the answer itself."""
        listing = self._listings.get(lookup)
        if listing is not None and listing.holds:
            return listing.shown
        held = [state.good for watched, state in self._states.items() if watched.lookup == lookup and state.hold]
        return held[0] if held and held[0] is not None else answer

    def release(self, service: str) -> int:
        """Accept what Consul has now of the service (a pattern such as `web-*`, too), and measure from it.

        Returns how many holds that ended; the template has to be evaluated again.
        """
        ended = 0
        for listing in self._listings.values():
            for hold in listing.release(service):
                self._add_event(Stage.RELEASED, hold)
                ended += 1
        for watched, state in self._states.items():
            if state.hold is not None and fnmatchcase(watched.service, service):
                self._add_event(Stage.RELEASED, state.hold)
                state.release()
                ended += 1
        return ended

    def fresh(self) -> Guard:
        """Return another one with the same limits."""
        return Guard(self._limits_of)

    def adopt(self, other: Guard) -> None:
        """Go on where the guard of an earlier reading of the configuration stands, with the limits of this one."""
        self._states = {
            watched: replace(state, peaks=list(state.peaks), round=self._round)
            for watched, state in other._states.items()
            if self._limits_for(watched.service) is not None
        }
        for lookup, old in other._listings.items():
            holds = {name: hold for name, hold in old.holds.items() if self._would_hold_empty(name)}
            self._listings[lookup] = replace(old, used=dict(old.used), holds=holds, seen=None, round=self._round)


def _catalog_of(lookup: Lookup) -> list[tuple[str, str]]:
    """Return the parameters that choose a catalog, such as the datacenter."""
    return [(name, value) for name, value in lookup.params if name not in ("tag", "near", "passing")]


def _violation(limits: GuardLimits, floor: int | None, highest: int, count: int) -> str:
    """Return why a list of this length must not be used; "" when it may. `floor`: the minimum that a release has accepted."""
    minimum = limits.min_instances
    if minimum is not None and floor is not None:
        minimum = min(minimum, floor)
    if minimum is not None and count < minimum:
        return f"{_instances(count)} (minimum {minimum})"
    if limits.max_drop is not None and highest - count > limits.max_drop * highest + _TOLERANCE:
        return f"{count} of {_instances(highest)} (max_drop {limits.max_drop * 100:.4g}%)"
    return ""


def _instances(count: int) -> str:
    return f"{count} instance" if count == 1 else f"{count} instances"
