"""A list of services as its guard lets a template have it: a service that is missed stays in it. Pure.

began, over = listing.admit(found, must_keep, now)
listing.shown                                    # what to use
listing.keep()                                   # the template is complete with it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pyconsul.tools.gotemplate.runtime.values import Slice

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup


@dataclass(frozen=True)
class ListHold:
    """A service that Consul lists no more, and templates still do. `lookup`: of the list. `since`: of the clock of
    `admit`."""

    lookup: Lookup
    service: str
    since: float

    @property
    def subject(self) -> str:
        """The service and its parameters, for messages."""
        return " ".join(["listed service", self.service, *(f"{name}={value}" for name, value in self.lookup.params)])

    def __str__(self) -> str:
        return f"guard: {self.subject} has no instances; keeping it in the list"


@dataclass
class Listing:
    """`used`: by name, what the template was complete with. `seen`: the latest of Consul's, `shown`: what is used for it."""

    lookup: Lookup
    used: dict[str, Any] = field(default_factory=dict)
    holds: dict[str, ListHold] = field(default_factory=dict)
    seen: list[Any] | None = None
    shown: list[Any] = field(default_factory=list)
    asked: float = 0.0
    round: int = 0

    def admit(
        self, found: list[Any], must_keep: Callable[[str], bool], now: float
    ) -> tuple[list[ListHold], list[ListHold]]:
        """Take Consul's list: the holds that begin with that, and those that are over. `must_keep`: whether a service must
        not go."""
        names = {service.Name for service in found}
        gone = [name for name in self.used if name not in names and name not in self.holds]
        began = [ListHold(self.lookup, name, now) for name in gone if must_keep(name)]
        over = [self.holds.pop(name) for name in list(self.holds) if name in names]
        self.holds |= {hold.service: hold for hold in began}
        self.seen = self.shown = found
        if self.holds:
            kept = [self.used[name] for name in self.holds]
            self.shown = Slice("[]*dependency.CatalogSnippet", sorted([*found, *kept], key=lambda one: one.Name))
        return began, over

    def keep(self) -> None:
        """Note that the template is complete with the shown list."""
        self.used = {service.Name: service for service in self.shown}

    def drop(self, names: list[str]) -> list[ListHold]:
        """Let these go; the holds that this ends."""
        for name in names:
            self.used.pop(name, None)
        return [hold for name in names if (hold := self.holds.pop(name, None)) is not None]

    def release(self, service: str) -> list[ListHold]:
        """Let the held ones go whose names fit a pattern; the holds that this ends."""
        return self.drop([name for name in self.holds if fnmatchcase(name, service)])
