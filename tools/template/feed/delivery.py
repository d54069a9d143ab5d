"""Pass answers on to the templates. After an outage they are held back until all have come, for a limited time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pyconsul.tools.template.feed.outage import MAX_HOLD_S, Outage

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup


class Delivery:
    """Stores answers, and notes which have changed. `news` is set when there is something to take."""

    def __init__(self, answers: Answers, outage: Outage, news: asyncio.Event) -> None:
        self._answers = answers
        self._outage = outage
        self._news = news
        self._changed: set[Lookup] = set()
        self._held: dict[Lookup, Any] = {}  # answers that are held back after an outage
        self._releaser: asyncio.TimerHandle | None = None

    @property
    def holds(self) -> bool:
        """Return whether answers are to be held back at present."""
        return self._outage.holds(asyncio.get_running_loop().time())

    def deliver(self, lookup: Lookup, answer: Any) -> None:
        """Pass on an answer, unless it is to be held back."""
        if self.holds:
            self._held[lookup] = answer
        else:
            self.release()
            self.put(lookup, answer)

    def put(self, lookup: Lookup, answer: Any) -> None:
        """Pass on an answer at once."""
        if self._answers.put(lookup, answer):
            self._changed.add(lookup)
            self._news.set()

    def release(self) -> None:
        """Pass on the answers that were held back, unless they still are."""
        if self._held and not self.holds:
            held, self._held = self._held, {}
            for lookup, answer in held.items():
                self.put(lookup, answer)

    def limit_hold(self, now: float) -> None:
        """Release the answers at the end of the time for which they may be held back; `now`: the loop's time."""
        self.close()
        self._releaser = asyncio.get_running_loop().call_at(now + MAX_HOLD_S, self.release)

    def forget(self, lookup: Lookup) -> None:
        """Drop an answer that is held back: its lookup is not used any more."""
        self._held.pop(lookup, None)

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def close(self) -> None:
        """Stop the timer."""
        if self._releaser is not None:
            self._releaser.cancel()
