"""The parts of the catalog that an agent holds, and which of them it drops.  Pure: the time is passed in."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator

from pyconsul.agent.dnsd.views import Part
from pyconsul.agent.reads.parts import PartChange
from pyconsul.agent.remote.dns.held_part import PartView

KEEP_S, KEEP_NEGATIVE_S = 20 * 60.0, 60.0  # after the last question
MAX_PARTS, MAX_ROWS, MAX_NEGATIVE = 4096, 200_000, 512


class HeldPart:
    """A part.  view: None before its first rows.  ready: done at the first rows.

    lost_at: when its stream ended; None while it is kept current.  age_s: age of the server's own state, which its stream states.
    questions: how often it was asked for; asked: since the last sweep; last_asked: at the latest sweep after a question.
    """

    __slots__ = ("age_s", "asked", "last_asked", "lost_at", "part", "questions", "ready", "task", "view")

    def __init__(self, part: Part, ready: asyncio.Future[None], now: float) -> None:
        self.part, self.ready = part, ready
        self.view: PartView | None = None
        self.task: asyncio.Task[None] | None = None
        self.lost_at: float | None = None
        self.age_s, self.asked, self.last_asked, self.questions = 0.0, True, now, 0

    def age(self, now: float) -> float:
        """Return how old the rows may be, in seconds."""
        return self.age_s + (0.0 if self.lost_at is None else now - self.lost_at)


class PartTable:
    """The parts, the least recently asked first.  rows: of all parts.  on_drop: called with each part that is dropped."""

    def __init__(self, on_drop: Callable[[HeldPart], None]) -> None:
        self._on_drop = on_drop
        self._parts: OrderedDict[Part, HeldPart] = OrderedDict()
        self._negative: OrderedDict[Part, None] = OrderedDict()  # those without rows, in the same order
        self.rows = 0

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[HeldPart]:
        return iter(list(self._parts.values()))

    def find(self, part: Part) -> HeldPart | None:
        """Return a part, if it is held."""
        return self._parts.get(part)

    def add(self, held: HeldPart) -> None:
        """Hold a part."""
        self._parts[held.part] = held

    def touch(self, held: HeldPart) -> None:
        """Note that a part is asked for."""
        held.asked = True
        held.questions += 1
        self._parts.move_to_end(held.part)
        if held.part in self._negative:
            self._negative.move_to_end(held.part)

    def apply(self, held: HeldPart, change: PartChange) -> bool:
        """Make a change of a part, and return whether its rows differ."""
        before = 0 if held.view is None else len(held.view)
        if held.view is None:
            held.view, is_changed = PartView(change), True
        else:
            is_changed = held.view.apply(change)
        held.age_s, held.lost_at = change.age_ms / 1000, None
        self.rows += len(held.view) - before
        if len(held.view):
            self._negative.pop(held.part, None)
        else:
            self._negative.setdefault(held.part)
        return is_changed

    def evict(self, kept: HeldPart) -> None:
        """Drop the least recently asked parts while there are too many; one of them stays."""
        while len(self._negative) > MAX_NEGATIVE:
            self.drop(self._parts[next(iter(self._negative))])
        while (self.rows > MAX_ROWS or len(self._parts) > MAX_PARTS) and len(self._parts) > 1:
            oldest = next(iter(self._parts.values()))
            if oldest is kept:
                self._parts.move_to_end(kept.part)
            else:
                self.drop(oldest)

    def drop(self, held: HeldPart) -> None:
        """Drop a part, if it is still held."""
        if self._parts.get(held.part) is not held:
            return
        del self._parts[held.part]
        self._negative.pop(held.part, None)
        self.rows -= len(held.view) if held.view is not None else 0
        self._on_drop(held)

    def sweep(self, now: float) -> list[HeldPart]:
        """Drop the parts that are no longer asked for; return those that were asked for since the last sweep."""
        used = [held for held in self if held.asked]
        for held in self:
            keep_s = KEEP_NEGATIVE_S if held.part in self._negative else KEEP_S
            if held.asked:
                held.asked, held.last_asked = False, now
            elif now - held.last_asked >= keep_s and held.view is not None:
                self.drop(held)
        return used
