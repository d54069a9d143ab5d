"""Templates that have waited for answers for too long: the log names what is missing, once. Pure but for the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.rendering import Rendering

log = logging.getLogger("template")

#: How many lookups one line names.
_NAMED = 20


class StallReporter:
    """`patience`: seconds; 0 never tells. `now`: seconds of any clock."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[Rendering, float] = {}
        self._told: set[Rendering] = set()

    def look(self, renderings: Iterable[Rendering], now: float) -> None:
        """See who waits, and tell who has waited for too long."""
        waiting = {rendering for rendering in renderings if rendering.missing}
        self._since = {rendering: self._since.get(rendering, now) for rendering in waiting}
        self._told &= waiting
        for rendering, since in self._since.items():
            if self._patience and now >= since + self._patience and rendering not in self._told:
                self._told.add(rendering)
                _tell(rendering, now - since)

    @property
    def deadline(self) -> float | None:
        """When to look again at the latest; None: not before something changes."""
        untold = [since for rendering, since in self._since.items() if rendering not in self._told]
        return min(untold) + self._patience if untold and self._patience else None


def _tell(rendering: Rendering, seconds: float) -> None:
    names = sorted(map(str, rendering.missing))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(names[:_NAMED])
    log.warning("%s: still waits, after %.0fs, for %s%s", rendering.spec.name, seconds, shown, more)
